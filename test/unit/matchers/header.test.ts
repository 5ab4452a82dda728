import { describe, expect, it } from "vitest";
import { compileHeader, type HeaderMatcher } from "../../../src/matchers/index.js";

function matches(matcher: Omit<HeaderMatcher, "name">, ...lines: string[]): boolean {
  return compileHeader({ name: "X-A", ...matcher })(new Map(lines.length === 0 ? [] : [["x-a", lines]]));
}

const abc = { stringMatch: { exact: "abc" } };

describe("a header matcher", () => {
  it("is content with one line that matches", () => {
    expect(matches(abc, "def", "abc")).toBe(true);
    expect(matches(abc, "abc,def")).toBe(false);
  });

  it("inverted, holds only when no line matches", () => {
    const inverted = { ...abc, invertMatch: true };
    expect(matches(inverted, "def", "ghi")).toBe(true);
    expect(matches(inverted, "abc", "def")).toBe(false);
    expect(matches(inverted, "def", "abc")).toBe(false);
  });

  it("fails on a missing header, inverted or not", () => {
    expect(matches(abc)).toBe(false);
    expect(matches({ ...abc, invertMatch: true })).toBe(false);
  });

  it("treats a missing header as an empty one where told so, also when it asks for presence", () => {
    const treatMissingHeaderAsEmpty = true;
    expect(matches({ stringMatch: { exact: "" }, treatMissingHeaderAsEmpty })).toBe(true);
    expect(matches({ ...abc, invertMatch: true, treatMissingHeaderAsEmpty })).toBe(true);
    expect(matches({ presentMatch: true, treatMissingHeaderAsEmpty })).toBe(true);
    expect(matches({ presentMatch: false, treatMissingHeaderAsEmpty })).toBe(false);
  });

  it("throws for a regex that ignores case, which Envoy does not load", () => {
    const stringMatch = { safeRegex: { regex: "a" }, ignoreCase: true };
    expect(() => compileHeader({ name: "a", stringMatch })).toThrow("ignoreCase");
  });
});
