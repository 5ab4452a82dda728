import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultRateLimitSettings, readRateLimitSettings } from "../../../src/ratelimit/index.js";

describe("settings from the peer's environment variables", () => {
  it("are the peer's defaults where no variable is set", () => {
    expect(readRateLimitSettings({})).toEqual({ settings: defaultRateLimitSettings, problems: [] });
    expect(defaultRateLimitSettings).toMatchObject({
      headers: undefined,
      jitterSeconds: 300,
      sharedKeys: false,
    });
    expect(defaultRateLimitSettings.nearLimitRatio).toBe(Math.fround(0.8));
  });

  it("read every variable", () => {
    const { settings, problems } = readRateLimitSettings({
      LIMIT_RESPONSE_HEADERS_ENABLED: "true",
      LIMIT_LIMIT_HEADER: "x-limit",
      LOCAL_CACHE_SIZE_IN_BYTES: "1_000",
      STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT: "T",
      SHADOW_MODE: "1",
      QUOTA_MODE: "True",
      RESPONSE_DYNAMIC_METADATA: "TRUE",
      CACHE_KEY_PREFIX: "p:",
      MERGE_DOMAIN_CONFIG: "t",
      NEAR_LIMIT_RATIO: "0.9",
      EXPIRATION_JITTER_MAX_SECONDS: "0x10",
      RUNTIME_IGNOREDOTFILES: "true",
    });
    expect(problems).toEqual([]);
    expect(settings).toEqual({
      headers: { limit: "x-limit", remaining: "RateLimit-Remaining", reset: "RateLimit-Reset" },
      localCacheBytes: 1000,
      stopsWhenOver: true,
      shadowMode: true,
      quotaMode: true,
      dynamicMetadata: true,
      keyPrefix: "p:",
      mergeDomains: true,
      nearLimitRatio: Math.fround(0.9),
      jitterSeconds: 16,
      ignoresDotFiles: true,
      sharedKeys: false,
    });
  });

  it("name headers only where headers are enabled", () => {
    expect(readRateLimitSettings({ LIMIT_LIMIT_HEADER: "x" }).settings.headers).toBeUndefined();
  });

  it.each(["1", "t", "T", "TRUE", "true", "True"])("take `%s` for true", (text) => {
    expect(readRateLimitSettings({ SHADOW_MODE: text }).settings.shadowMode).toBe(true);
  });

  it.each(["yes", "on", "tRUE", " true", "", "2"])("take `%s` for no bool", (text) => {
    const { settings, problems } = readRateLimitSettings({ SHADOW_MODE: text });
    expect(problems).toEqual(["SHADOW_MODE is not true or false"]);
    expect(settings.shadowMode).toBe(false);
  });

  it.each([
    ["0", 0],
    ["-0", 0],
    ["+7", 7],
    ["-7", 0],
    ["010", 8],
    ["0o17", 15],
    ["0b11", 3],
    ["0X_1f", 31],
    ["0_7", 7],
  ])("read the whole number `%s` as Go does", (text, seconds) => {
    const { settings, problems } = readRateLimitSettings({ EXPIRATION_JITTER_MAX_SECONDS: text });
    expect([settings.jitterSeconds, problems]).toEqual([seconds, []]);
  });

  it.each(["", "1.5", "1e3", "08", "0x", "_1", "1_", "1__0", "0b2", " 1", "ten", "9".repeat(40)])(
    "take `%s` for no whole number",
    (text) => {
      const { settings, problems } = readRateLimitSettings({ EXPIRATION_JITTER_MAX_SECONDS: text });
      expect([settings.jitterSeconds, problems]).toEqual([
        300,
        ["EXPIRATION_JITTER_MAX_SECONDS is not a whole number"],
      ]);
    },
  );

  it.each(["", "NaN", "inf", "1e99", "0,8", "."])("take `%s` for no ratio", (text) => {
    expect(readRateLimitSettings({ NEAR_LIMIT_RATIO: text }).problems).toEqual([
      "NEAR_LIMIT_RATIO is not a number",
    ]);
  });

  it("have no cache of a negative size", () => {
    expect(readRateLimitSettings({ LOCAL_CACHE_SIZE_IN_BYTES: "-1" }).problems).toHaveLength(1);
  });

  it("do not repeat what a variable holds", () => {
    const { problems } = readRateLimitSettings({ QUOTA_MODE: "s3cret" });
    expect(problems.join()).not.toContain("s3cret");
  });

  it("are read from own properties, whatever these hold", () => {
    expect(readRateLimitSettings(Object.create({ SHADOW_MODE: "true" })).settings.shadowMode).toBe(false);
    fc.assert(
      fc.property(fc.string(), (text) => {
        const variables = ["SHADOW_MODE", "NEAR_LIMIT_RATIO", "LOCAL_CACHE_SIZE_IN_BYTES"];
        const { settings } = readRateLimitSettings(Object.fromEntries(variables.map((name) => [name, text])));
        expect(Number.isFinite(settings.nearLimitRatio) && settings.localCacheBytes >= 0).toBe(true);
      }),
    );
  });
});
