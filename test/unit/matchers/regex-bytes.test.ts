import { describe, expect, it } from "vitest";
import { compileRegex } from "../../../src/matchers/index.js";

const utf8 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

describe("a regex on bytes, as Envoy 1.40's RE2 in Latin-1", () => {
  it.each([
    [".", "\xff", true],
    [".", utf8("é"), false],
    ["..", utf8("é"), true],
    ["[^a]+", "\xff\x80", true],
    ["é", utf8("é"), true],
    ["é", "\xe9", false],
    ["\\xe9", "\xe9", true],
    ["(?i)\\xe9", "\xc9", true],
    ["\\C\\C", utf8("é"), true],
    ["a\\Cc", "a\nc", true],
    ["\\\\C", "\\C", true],
    ["\\Q\\C\\E", "\\C", true],
    ["(?P<a>b)(?P<a>c)", "bc", true],
    [".*é", utf8("xé"), true],
  ])("%s on %j: %s", (regex, value, expected) => {
    expect(compileRegex(regex)(value)).toBe(expected);
  });

  it.each(["\\x{100}", "[a-\\x{212a}]", "\\777", "[\\C]"])("throws for %s, which is no byte", (regex) => {
    expect(() => compileRegex(regex)).toThrow();
  });
});
