import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BuiltinError, builtins, parseValue, valueText } from "../../../src/builtins/index.js";
import { LimitError } from "../../../src/builtins/limit.js";
import { anEvaluation, replay } from "./replay.js";

function call(name: string, ...args: string[]): string | undefined {
  const result = builtins[name]?.(args.map(parseValue), anEvaluation());
  return result === undefined ? undefined : valueText(result);
}

describe("numbers", () => {
  it("answer every recorded call as OPA does", () => {
    const { calls, deviations } = replay(builtins, "numbers.jsonl.gz");
    expect(deviations).toEqual([]);
    expect(calls).toBeGreaterThan(2000);
  });

  it("are divided with the 64 bits of OPA", () => {
    expect(call("div", "1", "3")).toBe("0.33333333333333333334");
    expect(call("div", "6", "3")).toBe("2");
    expect(() => call("div", "1", "0.0")).toThrow("divide by zero");
  });

  it("are added exactly when they are integers", () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.bigInt(), (a, b) => {
        expect(call("plus", `${a}`, `${b}`)).toBe(`${a + b}`);
        expect(call("mul", `${a}`, `${b}`)).toBe(`${a * b}`);
      }),
    );
  });

  it("are written out beyond 31 bits", () => {
    expect(call("format_int", "1700000000000000000", "10")).toBe('"1700000000000000000"');
    expect(call("format_int", "-15.9", "16")).toBe('"-f"');
    expect(() => call("format_int", "1", "10.0")).toThrow(BuiltinError);
  });

  it("are read from texts that are not JSON too", () => {
    expect(call("to_number", '".5"')).toBe("0.5");
    expect(call("to_number", '"+007"')).toBe("7");
    expect(call("to_number", '"0x1p4"')).toBe("16");
    for (const text of ["", "-", ".", "1e400", "nan", "inf", "0x1", " 1", "1__0"]) {
      expect(() => call("to_number", JSON.stringify(text))).toThrow(BuiltinError);
    }
  });

  it("are bits also when they are written with a fraction or an exponent", () => {
    expect(call("bits.and", "6.0", "3")).toBe("2");
    expect(call("bits.lsh", "1", "1e1")).toBe("1024");
  });

  it("refuse what would take long", () => {
    expect(() => call("numbers.range", "0", "1000000000")).toThrow(LimitError);
    expect(() => call("bits.lsh", "1", "1e9")).toThrow(LimitError);
    expect(() => call("plus", "9".repeat(100_000), "1")).toThrow(LimitError);
    expect(() => call("units.parse", JSON.stringify("9".repeat(100_000)))).toThrow(LimitError);
  });
});
