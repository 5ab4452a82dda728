import fc from "fast-check";
import { RE2JS } from "re2js";
import { describe, expect, it } from "vitest";
import { compileRegex } from "../../../src/matchers/index.js";

/** Expressions of the shapes that Istio's translation makes, from pieces that collide. */
const pieces = fc.constantFrom("a", "b", "/", "ns/", "\\.", ".*", ".+", "(.+/|)", "(/.+)?", "\\*");
const shapes = fc.array(pieces, { maxLength: 7 }).map((parts) => parts.join(""));
const values = fc.string({ unit: fc.constantFrom("a", "b", "/", "n", "s", ".", "*"), maxLength: 14 });

describe("a regex", () => {
  it("must match the whole value", () => {
    expect(compileRegex("abc")("abc")).toBe(true);
    expect(compileRegex("abc")("xabc")).toBe(false);
    expect(compileRegex("a|b")("ab")).toBe(false);
  });

  it("matches without an engine exactly what RE2 matches", () => {
    fc.assert(
      fc.property(shapes, values, (regex, value) => {
        expect(compileRegex(regex)(value)).toBe(RE2JS.compile(regex).matches(value));
      }),
      { numRuns: 2_000 },
    );
  });

  it("does not let a dot match a line break", () => {
    expect(compileRegex(".+")("a\nb")).toBe(false);
    expect(compileRegex("spiffe://.*x")("spiffe://\nx")).toBe(false);
  });

  it("throws for what RE2 does not have", () => {
    expect(() => compileRegex("(?=a)b")).toThrow();
    expect(() => compileRegex("(a")).toThrow();
  });

  it("is linear in the value where a backtracking engine is not", () => {
    const matches = compileRegex(`${".*a".repeat(12)}.*b`);
    expect(matches("a".repeat(20_000))).toBe(false);
  });
});
