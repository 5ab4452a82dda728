import { describe, expect, it } from "vitest";
import type { DescriptorConfig } from "../../../src/ratelimit/index.js";
import {
  aDescriptor,
  aLimit,
  anUnlimited,
  aRateLimiter,
  askAtOnce,
  asking,
} from "../../support/rate-limits.js";

/** What is told of one call with so many hits, after so many hits before it. */
function toldOf(
  descriptor: DescriptorConfig,
  hits: number,
  before = 0,
  settings: NonNullable<Parameters<typeof aRateLimiter>[1]>["settings"] = {},
): readonly string[] {
  const { limits, told } = aRateLimiter([{ domain: "d", descriptors: [descriptor] }], { settings });
  const ask = (hitsAddend: number) => askAtOnce(limits, "d", asking([[descriptor.key, "v"]], { hitsAddend }));
  if (before > 0) ask(before);
  const known = told.length;
  ask(hits);
  return told.slice(known);
}

const limited = (requests: number, parts: Partial<DescriptorConfig> = {}) =>
  aDescriptor({ key: "k", rateLimit: aLimit(requests), ...parts });

describe("statistics", () => {
  it.each([
    ["well within the limit", 10, 3, 0, ["total_hits 3", "within_limit 3"]],
    [
      "over the threshold, of which the part above is near",
      10,
      9,
      0,
      ["total_hits 9", "near_limit 1", "within_limit 9"],
    ],
    [
      "up to the limit from above the threshold",
      10,
      1,
      9,
      ["total_hits 1", "near_limit 1", "within_limit 1"],
    ],
    ["across the limit, split in two", 10, 5, 8, ["total_hits 5", "over_limit 3", "near_limit 2"]],
    ["over the limit from the start", 10, 5, 11, ["total_hits 5", "over_limit 5"]],
    ["that only look", 10, 0, 9, []],
    [
      "under a limit of 1, which is near at once",
      1,
      1,
      0,
      ["total_hits 1", "near_limit 1", "within_limit 1"],
    ],
  ])("tell of hits %s", (_, limit, hits, before, told) => {
    expect(toldOf(limited(limit), hits, before)).toEqual(told.map((one) => `d.k.${one}`));
  });

  it("tell of what a shadow lets pass, over as it is", () => {
    expect(toldOf(limited(10, { shadowMode: true }), 5, 8)).toContain("d.k.shadow_mode 3");
  });

  it("have a threshold in float32, by NEAR_LIMIT_RATIO", () => {
    expect(toldOf(limited(90), 64, 0, { nearLimitRatio: 0.7 })).toContain("d.k.near_limit 1");
    expect(toldOf(limited(90), 63, 0, { nearLimitRatio: 0.7 })).not.toContain("d.k.near_limit 1");
  });

  it("never tell of less than nothing near the limit, with a ratio above 1 either", () => {
    expect(toldOf(limited(10), 11, 0, { nearLimitRatio: 2 })).toEqual([
      "d.k.total_hits 11",
      "d.k.over_limit 1",
    ]);
  });

  it("are silent about what is unlimited", () => {
    expect(toldOf(aDescriptor({ key: "k", rateLimit: anUnlimited() }), 5)).toEqual([]);
  });

  it("hold a value of the request only where the file asks for it", () => {
    const nameOf = (parts: Partial<DescriptorConfig>) => toldOf(limited(9, parts), 1)[0];
    expect(nameOf({})).toBe("d.k.total_hits 1");
    expect(nameOf({ valueToMetric: true })).toBe("d.k_v.total_hits 1");
    expect(nameOf({ detailedMetric: true })).toBe("d.k_v.total_hits 1");
    expect(nameOf({ value: "*" })).toBe("d.k_*.total_hits 1");
    expect(nameOf({ value: "*", valueToMetric: true })).toBe("d.k_v.total_hits 1");
    expect(nameOf({ value: "*", valueToMetric: true, shareThreshold: true })).toBe("d.k_*.total_hits 1");
    expect(nameOf({ value: "*", detailedMetric: true, shareThreshold: true })).toBe("d.k_*.total_hits 1");
  });
});
