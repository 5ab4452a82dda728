import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BuiltinError, builtins, parseValue, valueText } from "../../../src/builtins/index.js";
import { anEvaluation, replay } from "./replay.js";

function call(name: string, ...args: string[]): string | undefined {
  const result = builtins[name]?.(args.map(parseValue), anEvaluation());
  return result === undefined ? undefined : valueText(result);
}

describe("times", () => {
  it("answer every recorded call as OPA does", () => {
    const { calls, deviations } = replay(builtins, "time.jsonl.gz");
    expect(deviations).toEqual([]);
    expect(calls).toBeGreaterThan(1500);
  });

  it("are nanoseconds exactly", () => {
    expect(call("time.now_ns")).toBe("1704164645678901234");
    expect(call("time.parse_rfc3339_ns", '"2024-01-02T03:04:05.678901234Z"')).toBe("1704164645678901234");
  });

  it("come back from the text that they are written as", () => {
    const instants = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
    fc.assert(
      fc.property(instants, (ns) => {
        expect(call("time.parse_rfc3339_ns", call("time.format", `${ns}`) ?? "")).toBe(`${ns}`);
      }),
    );
  });

  it("are shown in zones with the zone's abbreviation", () => {
    const at = (zone: string): string | undefined =>
      call("time.format", `[1720000000000000000, "${zone}", "15:04 MST -07:00"]`);
    expect(at("Europe/Paris")).toBe('"11:46 CEST +02:00"');
    expect(at("America/New_York")).toBe('"05:46 EDT -04:00"');
    expect(at("Asia/Kathmandu")).toBe('"15:31 +0545 +05:45"');
    expect(at("UTC")).toBe('"09:46 UTC +00:00"');
  });

  it("know no zones but those of the tz database, in its spelling", () => {
    for (const zone of ["europe/paris", "Mars/Base", "../etc/passwd", "ACT", "+01:00", "CET+60!"]) {
      expect(() => call("time.clock", `[1, ${JSON.stringify(zone)}]`)).toThrow(BuiltinError);
    }
  });

  it("are refused beyond 64 bits", () => {
    expect(() => call("time.date", "9223372036854775808")).toThrow("timestamp too big");
    expect(() => call("time.add_date", "0", "300", "0", "0")).toThrow("valid range");
    expect(() => call("time.parse_ns", '"2006"', '"9999"')).toThrow("valid range");
  });

  it("take days, weeks and years in durations", () => {
    expect(call("time.parse_duration_ns", '"1w1d1h"')).toBe("694800000000000");
    expect(call("time.parse_duration_ns", '"-1.5s"')).toBe("-1500000000");
    expect(() => call("time.parse_duration_ns", '"1x"')).toThrow(BuiltinError);
  });
});
