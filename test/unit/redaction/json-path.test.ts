import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatPath, type PathStep, parsePath } from "../../../src/redaction/index.js";

const member = (name: string): PathStep => ({ kind: "member", name });
const descend: PathStep = { kind: "descend" };
const all: PathStep = { kind: "all" };

describe("paths into JSON", () => {
  it.each<[string, PathStep[]]>([
    ["$", []],
    ["$.a.b", [member("a"), member("b")]],
    ["$['a b']", [member("a b")]],
    ['$["it\'s"].x', [member("it's"), member("x")]],
    ["$['it\\'s\\\\']", [member("it's\\")]],
    ["$.items[*].x", [member("items"), all, member("x")]],
    ["$.*", [all]],
    ["$.list[0]", [member("list"), { kind: "item", index: 0 }]],
    ["$..ssn", [descend, member("ssn")]],
    ["$..*", [descend, all]],
    ["$..['a b']", [descend, member("a b")]],
    ["$..[1]", [descend, { kind: "item", index: 1 }]],
    ["$.größe-1", [member("größe-1")]],
  ])("reads %s", (text, steps) => {
    expect(parsePath(text)).toEqual({ steps });
  });

  it.each([
    ["", 1],
    ["a", 1],
    ["$a", 2],
    ["$.", 3],
    ["$..", 4],
    ["$...a", 4],
    ["$.a..", 6],
    ["$.a b", 4],
    ["$[", 3],
    ["$[]", 3],
    ["$[-1]", 3],
    ["$[1", 4],
    ["$[*", 4],
    ["$[99999999999]", 3],
    ["$['a", 3],
    ["$['a'", 6],
    ["$['\\n']", 4],
    ["$[?(@.x)]", 3],
    ["$.a[0:1]", 6],
    [`$${".a".repeat(33)}`, 66],
  ])("refuses %s at its column", (text, column) => {
    expect(parsePath(text)).toEqual({ message: expect.any(String), column });
  });

  it("reads again what it writes", () => {
    const step = fc.oneof(
      fc.string({ unit: "grapheme" }).map(member),
      fc.constantFrom("a", "x-y", "it's", "\\", "").map(member),
      fc.nat().map((index): PathStep => ({ kind: "item", index })),
      fc.constant(all),
    );
    const steps = fc
      .array(fc.tuple(fc.boolean(), step), { maxLength: 10 })
      .map((parts) => parts.flatMap(([deep, last]) => (deep ? [descend, last] : [last])));
    fc.assert(
      fc.property(steps, (path) => {
        expect(parsePath(formatPath(path))).toEqual({ steps: path });
      }),
    );
  });
});
