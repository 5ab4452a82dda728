import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BuiltinError, builtins, type Value } from "../../../src/builtins/index.js";
import { LimitError } from "../../../src/builtins/limit.js";
import { anEvaluation, replay } from "./replay.js";

/** Texts with characters of one to four bytes, and such as have a meaning in formats and patterns. */
const texts = fc.string({ unit: fc.constantFrom(..."aé日😀%{*[]-\x01 ."), maxLength: 20 });

function call(name: string, ...args: Value[]): unknown {
  return builtins[name]?.(args, anEvaluation());
}

describe("regular expressions and globs", () => {
  it("answer every recorded call as OPA does", () => {
    const { calls, deviations } = replay(builtins, "regex.jsonl.gz");
    expect(deviations).toEqual([]);
    expect(calls).toBeGreaterThan(1500);
  });

  it("are of RE2's syntax", () => {
    for (const pattern of ["(?=a)", "(?<=a)b", "\\1", "a{1001}", "["]) {
      expect(call("regex.is_valid", pattern)).toBe(false);
      expect(() => call("regex.match", pattern, "a")).toThrow(BuiltinError);
    }
    expect(call("regex.is_valid", "(?P<a>x)(?P<a>y)")).toBe(true);
  });

  it("replace groups by number and name, also such as have the same name", () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Go's notation of a group
    expect(call("regex.replace", "ab", "(a)(?P<n>b)", "$2${1}x$n")).toBe("baxb");
    expect(call("regex.replace", "b", "(?P<n>a)|(?P<n>b)", "[$n]")).toBe("[b]");
  });

  it("give up when they would take long", () => {
    expect(() => call("regex.find_n", "a*b|a", "a".repeat(100_000), -1)).toThrow(LimitError);
    expect(() => call("regex.match", "(?i)\\w{1,300}@", "a".repeat(200_000))).toThrow(LimitError);
    expect(() => call("glob.match", "*a*a*a*b", ["/"], "a".repeat(1_000_000))).toThrow(LimitError);
    expect(call("glob.match", `${"*a".repeat(20)}b`, ["/"], "a".repeat(1000))).toBe(false);
  });

  it("take an empty array of delimiters as the point, and null as none", () => {
    expect(call("glob.match", "*.com", [], "a.b.com")).toBe(false);
    expect(call("glob.match", "*.com", null, "a.b.com")).toBe(true);
    expect(call("glob.match", "**.com", [], "a.b.com")).toBe(true);
  });

  it("match any text that is quoted", () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(call("glob.match", call("glob.quote_meta", text) as string, null, text)).toBe(true);
      }),
    );
  });

  it("split a text into parts that make it again", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{0,4}$/), { minLength: 1, maxLength: 8 }), (parts) => {
        expect(call("regex.split", ",", parts.join(","))).toEqual(parts);
      }),
    );
  });
});
