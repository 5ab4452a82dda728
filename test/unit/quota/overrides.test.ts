import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileOverrides } from "../../../src/quota/compile-overrides.js";
import type { Override } from "../../../src/quota/index.js";

const override = (patterns: Readonly<Record<string, string>>): Override => ({
  dimensions: Object.entries(patterns),
  allowance: undefined,
});
const names = ["user", "plan"];

describe("overrides", () => {
  it("match exact values, beginnings, ends and anything", () => {
    const find = compileOverrides(
      [override({ user: "alice" }), override({ user: "svc-*" }), override({ plan: "*-trial", user: "*" })],
      names,
    );
    expect(find(["alice", "x-trial"])).toBe(0);
    expect(find(["svc-a", "free"])).toBe(1);
    expect(find(["joe", "gold-trial"])).toBe(2);
    expect(find(["", "free"])).toBe(-1);
    expect(find(["constructor", ""])).toBe(-1);
  });

  it("need all of their dimensions", () => {
    const find = compileOverrides([override({ user: "alice", plan: "gold" })], names);
    expect(find(["alice", "gold"])).toBe(0);
    expect(find(["alice", "free"])).toBe(-1);
    expect(find(["bob", "gold"])).toBe(-1);
  });

  it("are asked in their order, as if one after the other", () => {
    const value = fc.constantFrom("", "a", "ab", "b", "ba");
    const pattern = fc.constantFrom("", "a", "ab", "b", "ba", "*", "a*", "b*", "*a", "*b");
    const patterns = fc.record({ user: pattern, plan: pattern }, { requiredKeys: [] });
    const matches = (given: string, text: string): boolean => {
      if (given === "*") return true;
      if (given.startsWith("*")) return text.endsWith(given.slice(1));
      return given.endsWith("*") ? text.startsWith(given.slice(0, -1)) : given === text;
    };
    fc.assert(
      fc.property(fc.array(patterns, { maxLength: 12 }), value, value, (list, user, plan) => {
        const values: Readonly<Record<string, string>> = { user, plan };
        const expected = list.findIndex((one) =>
          Object.entries(one).every(([name, given]) => matches(given, values[name] ?? "")),
        );
        const find = compileOverrides(
          list.map((one) => override(one)),
          names,
        );
        expect(find([user, plan])).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });
});
