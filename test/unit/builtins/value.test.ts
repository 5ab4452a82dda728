import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aggregates } from "../../../src/builtins/aggregates.js";
import { identity } from "../../../src/builtins/identity.js";
import { parseValue, type Value, valueText } from "../../../src/builtins/index.js";
import { numberOf } from "../../../src/builtins/number.js";
import { compareValues, objectOf, setOf } from "../../../src/builtins/value.js";
import { recordedCalls, replay } from "./replay.js";

const numberTexts = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? "-0" : String(n))),
  fc
    .tuple(fc.bigInt(), fc.stringMatching(/^(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?$/))
    .map(([n, rest]) => `${n}${rest}`),
);
const scalars: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom(null, true, false),
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "\ud7ff", "\ue000", "\uffff", "😀", "\udc80", "__proto__", "a\0"),
  numberTexts.map(numberOf),
);
const values: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalars,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(tie("value"), { maxLength: 4 }).map(setOf),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 4 }).map(objectOf),
  ),
})).value;

describe("values", () => {
  it("are the same after they were written and read", () => {
    fc.assert(
      fc.property(values, (value) => {
        const text = valueText(value);
        const read = parseValue(text);
        expect(compareValues(read, value)).toBe(0);
        expect(valueText(read)).toBe(text);
      }),
    );
  });

  it("are in one total order", () => {
    fc.assert(
      fc.property(values, values, values, (a, b, c) => {
        const order = Math.sign(compareValues(a, b));
        expect(Math.sign(compareValues(b, a)) + order).toBe(0);
        expect(compareValues(a, a)).toBe(0);
        if (order <= 0 && compareValues(b, c) <= 0) expect(compareValues(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });

  it("have the same identity exactly when they are equal", () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        expect(identity(a) === identity(b)).toBe(compareValues(a, b) === 0);
      }),
    );
    for (const [a, b] of [
      ["1", "1.0"],
      ["1e1", "10"],
      ["-0", "0"],
      ["0.10", "1e-1"],
      ["1e30", "10e29"],
    ] as const) {
      expect(identity(parseValue(a))).toBe(identity(parseValue(b)));
    }
  });

  it("are sorted as OPA sorts them", () => {
    const { deviations } = replay(aggregates, "order.jsonl.gz");
    expect(deviations).toEqual([]);
    expect(recordedCalls("order.jsonl.gz").length).toBeGreaterThan(40);
  }, 30_000);

  it.each([
    ["brackets", "[".repeat(1_000_000)],
    ["braces", "{".repeat(1_000_000)],
    ["sets", `${"{".repeat(1_900)}1${"}".repeat(1_900)}`],
    ["digits", "1".repeat(300_000)],
    ["an exponent", "1e999999999999"],
    ["escapes", `"${"\\u0041".repeat(200_000)}"`],
    ["no end", `"${"a".repeat(1_000_000)}`],
    ["backslashes", `"${"\\\\".repeat(300_000)}`],
    ["nothing", ""],
  ])("are read or refused quickly when the text is hostile: %s", (_, text) => {
    const before = performance.now();
    try {
      const value = parseValue(text);
      expect(compareValues(value, value)).toBe(0);
    } catch (error) {
      expect(error).toBeInstanceOf(SyntaxError);
    }
    expect(performance.now() - before).toBeLessThan(2_000);
  });
});

it("can be compared and written when they are nested as deeply as they may be", () => {
  for (const [open, close] of [
    ["[", "]"],
    ["{", "}"],
    ['{"a":', "}"],
  ] as const) {
    const text = `${open.repeat(495)}1${close.repeat(495)}`;
    const value = parseValue(text);
    expect(compareValues(value, parseValue(text))).toBe(0);
    expect(valueText(value)).toBe(text);
    expect(identity(value)).toBe(identity(parseValue(text)));
  }
  expect(() => parseValue("[".repeat(502))).toThrow("nested");
});
