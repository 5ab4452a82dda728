import { describe, expect, it } from "vitest";
import { findClashes, parseRateLimitFile, type RateLimitFile } from "../../../src/ratelimit/index.js";

function named(name: string, text: string): { name: string; file: RateLimitFile } {
  const { spec } = parseRateLimitFile(text);
  if (spec === undefined) throw new Error(`${name} is invalid`);
  return { name, file: spec };
}

const apart = { mergeDomains: false };
const merged = { mergeDomains: true };

describe("config files beside each other", () => {
  it("may have domains of their own with the same keys", () => {
    const files = [
      named("a", "domain: a\ndescriptors: [{key: k}]"),
      named("b", "domain: b\ndescriptors: [{key: k}]"),
    ];
    expect(findClashes(files, apart)).toEqual([]);
  });

  it("may not have one domain; the later one is at fault, where it names it", () => {
    const files = [named("a", "domain: d"), named("b", "domain: other"), named("c", "# again\ndomain: d")];
    const [clash, ...more] = findClashes(files, apart);
    expect(more).toEqual([]);
    expect(clash?.file).toBe(2);
    expect(clash?.finding.code.code).toBe("GH0804");
    expect(clash?.finding.message).toBe("duplicate domain `d`, already that of a");
    expect(clash?.finding.place).toEqual({ file: undefined, line: 2, column: 9 });
  });

  it("may have one domain when domains are merged", () => {
    const files = [
      named("a", "domain: d\ndescriptors: [{key: k}]"),
      named("b", "domain: d\ndescriptors: [{key: j}]"),
    ];
    expect(findClashes(files, merged)).toEqual([]);
  });

  it("may not repeat a composite key of the domain that they share", () => {
    const files = [
      named("a", "domain: d\ndescriptors: [{key: a_b}]"),
      named("b", "domain: d\ndescriptors: [{key: c}]"),
      named("c", "domain: d\ndescriptors:\n  - key: c\n  - key: a\n    value: b\n"),
    ];
    const clashes = findClashes(files, merged);
    expect(clashes.map(({ file, finding }) => [file, finding.message, finding.place?.line])).toEqual([
      [2, "duplicate descriptor composite key `d.c`, already in b", 3],
      [2, "duplicate descriptor composite key `d.a_b`, already in a", 4],
    ]);
    expect(clashes[0]?.finding.code.code).toBe("GH0806");
  });

  it("may repeat keys below different descriptors", () => {
    const files = [
      named("a", "domain: d\ndescriptors: [{key: a, descriptors: [{key: k}]}]"),
      named("b", "domain: d\ndescriptors: [{key: b, descriptors: [{key: k}]}]"),
    ];
    expect(findClashes(files, merged)).toEqual([]);
  });
});
