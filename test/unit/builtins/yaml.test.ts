import { describe, expect, it } from "vitest";
import { BuiltinError } from "../../../src/builtins/index.js";
import { yaml } from "../../../src/builtins/yaml.js";
import { anEvaluation, replay } from "./replay.js";

/**
 * Calls that are answered more strictly than by OPA: they give nothing. The parser reads YAML 1.2, where go-yaml is
 * laxer here; and line breaks of YAML 1.1 (U+0085, U+2028, U+2029) are refused, which OPA folds.
 */
const stricter = [
  '("a: &x b\\n*x: 1")',
  '("a: [1,\\n2]")',
  '("\\"a\\"# c")',
  'yaml.marshal("\u0085")',
  'yaml.marshal("a\u0085b")',
  'yaml.marshal("\u2028")',
  'yaml.marshal("a\u2028b")',
  'yaml.marshal("x\u2028y\\nz")',
];

function unmarshal(text: string): unknown {
  return yaml["yaml.unmarshal"]?.([text], anEvaluation());
}

describe("yaml builtins", () => {
  it("answer every recorded call as OPA does, but for the ones that are refused", () => {
    const { calls, deviations } = replay(yaml, "yaml.jsonl.gz");
    const known = deviations.filter((text) => stricter.some((part) => unescaped(text).includes(part)));
    expect(deviations.filter((text) => !known.includes(text))).toEqual([]);
    expect(known.filter((text) => !/ours (?:undefined|false)/.test(text))).toEqual([]);
    expect(known).toHaveLength(11);
    expect(calls).toBeGreaterThan(800);
  }, 30_000);

  it.each([
    ["flow collections", "[".repeat(20_000)],
    ["flow mappings", "{a: ".repeat(8_000)],
    ["lists in a line", "- ".repeat(16_000)],
    ["complex keys", "? ".repeat(16_000)],
    ["blocks", Array.from({ length: 240 }, (_, i) => `${" ".repeat(i)}a:\n`).join("")],
    [
      "aliases",
      Array.from({ length: 2_000 }, (_, i) => `a${i}: &a${i} [*a${i - 1}]\n`)
        .join("")
        .replace("*a-1", "x"),
    ],
  ])("refuse %s that are nested too deeply", (_, text) => {
    expect(() => unmarshal(text)).toThrow(BuiltinError);
  });

  it("refuse a small document whose aliases make a large one", () => {
    const laughs = Array.from({ length: 40 }, (_, i) => `a${i}: &a${i} [*a${i - 1}, *a${i - 1}]\n`).join("");
    expect(() => unmarshal(`a: &a-1 x\n${laughs}`)).toThrow("excessive aliasing");
    const merges = Array.from(
      { length: 40 },
      (_, i) => `a${i}: &a${i} {<<: [*a${i - 1}, *a${i - 1}]}\n`,
    ).join("");
    expect(() => unmarshal(`a: &a-1 {x: 1}\n${merges}`)).toThrow("excessive aliasing");
  });

  it("refuse a long text", () => {
    expect(() => unmarshal("a".repeat(32 * 1024 + 1))).toThrow("longer");
  });
});

/** As the list above writes it. */
function unescaped(text: string): string {
  return text.replace(/\\u(0085|2028)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
