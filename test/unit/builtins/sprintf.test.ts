import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { builtins, parseValue } from "../../../src/builtins/index.js";
import { LimitError } from "../../../src/builtins/limit.js";
import { anEvaluation, replay } from "./replay.js";

/** Texts with characters of one to four bytes, and such as have a meaning in formats and patterns. */
const texts = fc.string({ unit: fc.constantFrom(..."aé日😀%{*[]-\x01 ."), maxLength: 20 });

function sprintf(format: string, args: string): unknown {
  return builtins["sprintf"]?.([format, parseValue(args)], anEvaluation());
}

describe("sprintf", () => {
  it("answers every recorded call as OPA does", () => {
    const { calls, deviations } = replay(builtins, "sprintf.jsonl.gz");
    expect(deviations).toEqual([]);
    expect(calls).toBeGreaterThan(1000);
  });

  it("says what is wrong with a verb in Go's words", () => {
    expect(sprintf("%d", '["x"]')).toBe("%!d(string=x)");
    expect(sprintf("%d %d", "[1]")).toBe("1 %!d(MISSING)");
    expect(sprintf("%v", "[1, 2]")).toBe("1%!(EXTRA int64=2)");
    expect(sprintf("%d", "[1.0]")).toBe("%!d(float64=1)");
    expect(sprintf("%", "[]")).toBe("%!(NOVERB)");
  });

  it("prints composite values as Rego writes them", () => {
    expect(sprintf("%v", '[{"a": [1, "x", null]}]')).toBe('{"a": [1, "x", null]}');
    expect(sprintf("%s", '[{2, 1, "\\u0007"}]')).toBe('{1, 2, "\\a"}');
    expect(sprintf("%v", "[set()]")).toBe("set()");
  });

  it("prints integers of any size exactly", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), (value) => {
        expect(sprintf("%d|%x", `[${value},${value}]`)).toBe(`${value}|${value.toString(16)}`);
      }),
    );
  });

  it("refuses to print more than a million characters", () => {
    expect(() => sprintf("%1000000d%1000000d", "[1, 2]")).toThrow(LimitError);
    expect(() => sprintf("%v", `[${"9".repeat(200_000)}]`)).toThrow(LimitError);
  });

  it("never fails on any format", () => {
    fc.assert(
      fc.property(texts, (format) => {
        expect(typeof sprintf(`%${format}`, '[1, "x", 1.5]')).toBe("string");
      }),
    );
  });
});
