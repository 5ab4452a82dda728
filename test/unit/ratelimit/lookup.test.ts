import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DescriptorConfig } from "../../../src/ratelimit/index.js";
import { aDescriptor, aLimit, aRateLimiter, askAtOnce, asking } from "../../support/rate-limits.js";

type Pairs = readonly (readonly [key: string, value: string])[];

const composite = ({ key, value }: DescriptorConfig) => (value === "" ? key : `${key}_${value}`);

/** The rules as the reference says them, one entry after the other. */
function slowly(
  level: readonly DescriptorConfig[],
  pairs: Pairs,
  values: readonly string[] = [],
): { readonly name: string; readonly values: readonly string[] } | undefined {
  const [entry, ...rest] = pairs;
  if (entry === undefined) return undefined;
  const [key, value] = entry;
  const joined = `${key}_${value}`;
  const exact = level.find((one) => composite(one) === joined);
  const wildcard = level.find(
    (one) => composite(one).endsWith("*") && joined.startsWith(composite(one).slice(0, -1)),
  );
  const found = exact ?? wildcard ?? level.find((one) => composite(one) === key);
  if (found === undefined) return undefined;
  const isShared = exact === undefined && wildcard !== undefined && found.shareThreshold;
  const pattern = composite(found).startsWith(`${key}_`)
    ? composite(found).slice(key.length + 1)
    : composite(found);
  const known = [...values, isShared ? pattern : value];
  if (rest.length > 0) return slowly(found.descriptors, rest, known);
  return found.rateLimit && { name: found.rateLimit.name, values: known };
}

const keys = fc.constantFrom("a", "b", "a_x", "b*", "__proto__");
const values = fc.constantFrom("", "x", "x_y", "xyz", "x*", "*", "y", "constructor");

const levels = fc.letrec<{ level: DescriptorConfig[]; node: DescriptorConfig }>((tie) => ({
  level: fc.uniqueArray(tie("node"), {
    minLength: 1,
    maxLength: 5,
    selector: composite,
    depthIdentifier: "d",
  }),
  node: fc
    .record({ key: keys, value: values, named: fc.nat(), limited: fc.nat(3), share: fc.boolean() })
    .chain(({ key, value, named, limited, share }) =>
      fc
        .oneof({ maxDepth: 3, depthIdentifier: "d" }, fc.constant([] as DescriptorConfig[]), tie("level"))
        .map((descriptors) => {
          const bare = aDescriptor({ key, value, descriptors });
          return {
            ...bare,
            rateLimit: limited > 0 ? aLimit(1, "DAY", { name: `n${named}` }) : undefined,
            shareThreshold: share && composite(bare).endsWith("*"),
          };
        }),
    ),
})).level;

const steps = fc.array(fc.record({ at: fc.nat(9), key: keys, value: values, stays: fc.nat(4) }), {
  minLength: 1,
  maxLength: 4,
});

/** A call that goes down the tree, mostly. */
function walk(level: readonly DescriptorConfig[], [step, ...rest]: StepsOf): Pairs {
  if (step === undefined) return [];
  const node = level[step.at % Math.max(1, level.length)];
  if (node === undefined || step.stays === 0) return [[step.key, step.value], ...walk(level, rest)];
  const value = step.stays === 1 ? step.value : node.value.replace("*", step.value);
  return [[node.key, value], ...walk(node.descriptors, rest)];
}

type StepsOf = typeof steps extends fc.Arbitrary<infer Value> ? Value : never;

describe("a descriptor's limit", () => {
  it("is the one that a slow reading of the rules finds, and its counter has the values that it says", () => {
    let found = 0;
    fc.assert(
      fc.property(levels, steps, (level, taken) => {
        const pairs = walk(level, taken);
        const { limits, added } = aRateLimiter([{ domain: "d", descriptors: level }], {
          settings: { sharedKeys: true },
        });
        const answer = askAtOnce(limits, "d", asking(pairs));
        const model = slowly(level, pairs);
        expect(answer.statuses[0]?.currentLimit?.name).toBe(model?.name);
        const expected = model && `d_${pairs.map(([key], i) => `${key}_${model.values[i]}_`).join("")}`;
        expect(added[0]?.additions[0]?.key.replace(/\d+$/, "")).toBe(expected);
        found += model === undefined ? 0 : 1;
      }),
      { numRuns: 3000 },
    );
    expect(found).toBeGreaterThan(300);
  });

  it.each([
    ["an exact name before a wildcard that stands earlier", [["k", "ab"]], "exact"],
    ["the first wildcard of the file, not the longest", [["k", "abc"]], "short"],
    ["a wildcard before the key alone, with nothing where the star is", [["k", "a"]], "short"],
    ["the key alone where no value fits", [["k", "z"]], "key"],
    ["a wildcard in the key", [["top-1", "z"]], "top"],
  ] as const)("is %s", (_, pairs, name) => {
    const limited = (key: string, value: string, limit: string) =>
      aDescriptor({ key, value, rateLimit: aLimit(1, "DAY", { name: limit }) });
    const descriptors = [
      limited("k", "", "key"),
      limited("k", "a*", "short"),
      limited("k", "ab*", "long"),
      limited("k", "ab", "exact"),
      limited("top*", "", "top"),
    ];
    const { limits } = aRateLimiter([{ domain: "d", descriptors }]);
    const answer = askAtOnce(limits, "d", asking(pairs));
    expect(answer.statuses[0]?.currentLimit?.name).toBe(name);
  });

  it("is none where a sibling would have fitted further down: what is found first is final", () => {
    const descriptors = [
      aDescriptor({ key: "k", value: "v", descriptors: [aDescriptor({ key: "other" })] }),
      aDescriptor({ key: "k", descriptors: [aDescriptor({ key: "x", rateLimit: aLimit(1) })] }),
    ];
    const { limits, added } = aRateLimiter([{ domain: "d", descriptors }]);
    askAtOnce(
      limits,
      "d",
      asking([
        ["k", "v"],
        ["x", "1"],
      ]),
    );
    expect(added).toEqual([]);
    askAtOnce(
      limits,
      "d",
      asking([
        ["k", "w"],
        ["x", "1"],
      ]),
    );
    expect(added).toHaveLength(1);
  });

  it("comes from all files of a domain, wildcards in their order", () => {
    const fileOf = (value: string) => ({
      domain: "d",
      descriptors: [aDescriptor({ key: "k", value, rateLimit: aLimit(1, "DAY", { name: value }) })],
    });
    const { limits } = aRateLimiter([fileOf("a*"), fileOf("ab*"), fileOf("c")]);
    const nameFor = (value: string) =>
      askAtOnce(limits, "d", asking([["k", value]])).statuses[0]?.currentLimit?.name;
    expect([nameFor("abc"), nameFor("c"), nameFor("d")]).toEqual(["a*", "c", undefined]);
  });
});
