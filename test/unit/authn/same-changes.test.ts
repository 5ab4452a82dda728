import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RequestChanges } from "../../../src/authn/index.js";
import { createSameChanges } from "../../../src/authn/same-changes.js";

const some = (changes: Partial<RequestChanges> = {}): RequestChanges => ({
  headersToSet: [["x", "1"]],
  headersToRemove: ["authorization"],
  paramsToRemove: [],
  isLasting: false,
  ...changes,
});

describe("changes of one token", () => {
  it("that are equal become the same object", () => {
    const same = createSameChanges();
    const token = {};
    const first = same(token, some());
    expect(same(token, some())).toBe(first);
    expect(same({}, some())).not.toBe(first);
    expect(first).toEqual({ ...some(), isLasting: true });
  });

  it("are never taken for others, however many there are", () => {
    const same = createSameChanges();
    const token = {};
    const text = fc.constantFrom("a", "b", "");
    const changes = fc.record({
      headersToSet: fc.array(fc.tuple(text, text), { maxLength: 2 }),
      headersToRemove: fc.array(text, { maxLength: 2 }),
      paramsToRemove: fc.array(text, { maxLength: 2 }),
      isLasting: fc.constant(false),
    });
    fc.assert(
      fc.property(changes, (one) => {
        const given = same(token, one);
        expect({ ...given, isLasting: false }).toEqual(one);
        // Of more ways than are remembered, each is an object of its own.
        expect(given.isLasting).toBe(given !== one);
      }),
    );
  });

  it("are remembered in four ways at most", () => {
    const same = createSameChanges();
    const token = {};
    const give = (value: string): RequestChanges => same(token, some({ headersToSet: [["x", value]] }));
    const values = ["1", "2", "3", "4", "5"];
    const first = values.map(give);
    expect(first.map(({ isLasting }) => isLasting)).toEqual([true, true, true, true, false]);
    expect(values.map((value, i) => give(value) === first[i])).toEqual([true, true, true, true, false]);
  });
});
