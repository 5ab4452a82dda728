import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { all, always, any, never, not } from "../../../src/matchers/index.js";

describe("conditions joined at load", () => {
  it("collapse where the outcome is known", () => {
    const p = (n: number): boolean => n > 1;
    expect(all([always, p])).toBe(p);
    expect(all([p, never])).toBe(never);
    expect(any([never, p])).toBe(p);
    expect(any([p, always])).toBe(always);
    expect(not(always)).toBe(never);
    expect(all([])).toBe(always);
    expect(any([])).toBe(never);
  });

  it("mean what every and some mean", () => {
    const threshold = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 5 });
    fc.assert(
      fc.property(threshold, fc.integer({ min: 0, max: 3 }), (bounds, value) => {
        const predicates = bounds.map(
          (bound) =>
            (n: number): boolean =>
              n >= bound,
        );
        expect(all(predicates)(value)).toBe(bounds.every((bound) => value >= bound));
        expect(any(predicates)(value)).toBe(bounds.some((bound) => value >= bound));
        expect(not(any(predicates))(value)).toBe(!bounds.some((bound) => value >= bound));
      }),
    );
  });
});
