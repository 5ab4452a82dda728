import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BuiltinError, builtins, parseValue, valueText } from "../../../src/builtins/index.js";
import { LimitError } from "../../../src/builtins/limit.js";
import { anEvaluation, replay } from "./replay.js";

/** Texts with characters of one to four bytes, and such as have a meaning in formats and patterns. */
const texts = fc.string({ unit: fc.constantFrom(..."aé日😀%{*[]-\x01 ."), maxLength: 20 });

function call(name: string, ...args: string[]): string | undefined {
  const result = builtins[name]?.(args.map(parseValue), anEvaluation());
  return result === undefined ? undefined : valueText(result);
}

describe("texts and networks", () => {
  it("answer every recorded call as OPA does", () => {
    const { calls, deviations } = replay(builtins, "strings.jsonl.gz");
    expect(deviations).toEqual([]);
    expect(calls).toBeGreaterThan(2000);
  });

  it("answer the calls of OPA's own compliance cases", () => {
    const { calls, deviations } = replay(builtins, "compliance.jsonl.gz");
    expect(deviations).toEqual([]);
    expect(calls).toBeGreaterThan(900);
  });

  it("join the members of a set in order", () => {
    expect(call("concat", '","', '{"b", "a", "c"}')).toBe('"a,b,c"');
  });

  it("have cases as Go has them, one character at a time", () => {
    expect(call("upper", '"straße ŉ"')).toBe('"STRAßE ŉ"');
    expect(call("lower", '"İΣ"')).toBe('"iσ"');
  });

  it("count characters, not UTF-16 units", () => {
    expect(call("substring", '"a😀b"', "1", "1")).toBe('"😀"');
    expect(call("indexof", '"a😀b"', '"b"')).toBe("2");
    fc.assert(
      fc.property(texts, (text) => {
        const twice = call("strings.reverse", call("strings.reverse", JSON.stringify(text)) ?? "");
        expect(twice).toBe(JSON.stringify(text));
      }),
    );
  });

  it("find mapped IPv4 addresses in IPv4 networks", () => {
    expect(call("net.cidr_contains", '"10.0.0.0/8"', '"::ffff:10.1.2.3"')).toBe("true");
    expect(() => call("net.cidr_contains", '"10.0.0.0/8"', '"10.1.2.3/33"')).toThrow(BuiltinError);
  });

  it("refuse networks and texts that are too large", () => {
    expect(() => call("net.cidr_expand", '"10.0.0.0/8"')).toThrow(LimitError);
    expect(() => call("net.cidr_expand", '"::/0"')).toThrow(LimitError);
    expect(() => call("replace", JSON.stringify("a".repeat(100_000)), '"a"', `"${"b".repeat(100)}"`)).toThrow(
      LimitError,
    );
  });

  it("leave out what asks the network", () => {
    expect(Object.hasOwn(builtins, "net.lookup_ip_addr")).toBe(false);
  });
});
