import { describe, expect, it } from "vitest";
import { createMemoryStore } from "../../../src/quota/index.js";
import {
  createRateLimits,
  defaultRateLimitSettings,
  inspectDescriptor,
  type RateLimitFile,
} from "../../../src/ratelimit/index.js";
import { aCall, aDescriptor, aLimit, anUnlimited, asking } from "../../support/rate-limits.js";

const now = 1_700_000_000_500;
const file: RateLimitFile = {
  domain: "edge_1",
  descriptors: [
    aDescriptor({ key: "client", rateLimit: aLimit(5) }),
    aDescriptor({ key: "tenant", value: "t*", shareThreshold: true, rateLimit: aLimit(3, "MINUTE") }),
    aDescriptor({
      key: "long",
      shadowMode: true,
      rateLimit: aLimit(1, "DAY", { name: "daily" }),
      descriptors: [aDescriptor({ key: "free", rateLimit: anUnlimited() })],
    }),
  ],
};
const inspect = (domain: string, ...pairs: (readonly [string, string])[]): unknown =>
  inspectDescriptor([file], { domain, entries: asking(pairs).entries }, defaultRateLimitSettings, now);

describe("looking a descriptor's counter up", () => {
  it.each([[["client", "a_b"] as const], [["tenant", "t1"] as const], [["long", "x".repeat(1000)] as const]])(
    "finds the counter that a call of %j is counted on",
    async (pair) => {
      const store = createMemoryStore({ now: () => now });
      const observer = { counted: () => {}, domainNotFound: () => {} };
      const limits = createRateLimits([file], undefined, {
        settings: defaultRateLimitSettings,
        store,
        now: () => now,
        random: () => 0,
        observer,
        localCache: undefined,
      });
      await limits.decide(aCall("edge_1", asking([pair], { hitsAddend: 2 })));
      const found = inspect("edge_1", pair) as { kind: string; key: string };
      expect(found.kind).toBe("counted");
      expect(store.read([{ group: "edge_1", key: found.key }])).toEqual([2]);
    },
  );

  it("says what is known of the limit", () => {
    expect(inspect("edge_1", ["long", "a"])).toMatchObject({
      requestsPerUnit: 1,
      unit: "DAY",
      name: "daily",
      shadowMode: true,
      resetSeconds: 86_400 - 80_000,
    });
  });

  it("says why there is no counter", () => {
    expect(inspect("edge", ["client", "a"])).toEqual({ kind: "unknown_domain" });
    expect(inspect("edge_1", ["other", "a"])).toEqual({ kind: "no_limit" });
    expect(inspect("edge_1", ["client", "a"], ["client", "a"])).toEqual({ kind: "no_limit" });
    expect(inspect("edge_1", ["long", "a"], ["free", "b"])).toEqual({ kind: "unlimited" });
  });
});
