import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unifiedDiff } from "../../../src/cli/line-diff.js";

/** Applies a unified difference, as `patch` does. */
function patched(before: string, diff: string): string {
  const old = before.split("\n");
  const fresh: string[] = [];
  let at = 0;
  for (const line of diff.split("\n").slice(2)) {
    const hunk = /^@@ -(\d+),(\d+) /.exec(line);
    if (hunk !== null) {
      const start = Number(hunk[1]) - (hunk[2] === "0" ? 0 : 1);
      while (at < start) fresh.push(old[at++] ?? "");
    } else if (line.startsWith("+")) fresh.push(line.slice(1));
    else if (line.startsWith("-")) at++;
    else if (line.startsWith(" ")) fresh.push(old[at++] ?? "");
  }
  return [...fresh, ...old.slice(at)].join("\n");
}

describe("the difference of two texts", () => {
  it("is empty when they are equal", () => {
    expect(unifiedDiff("a", "x\n", "x\n")).toBe("");
  });

  it("shows three lines around a change", () => {
    const before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    expect(unifiedDiff("a.rego", before, before.replace("5", "five"))).toBe(
      "--- a.rego\n+++ a.rego\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n",
    );
  });

  it("has a part for each of two changes far from each other", () => {
    const before = Array.from({ length: 20 }, (_, i) => `${i}\n`).join("");
    const diff = unifiedDiff("a", before, `first\n${before}last\n`);
    expect(diff.match(/^@@.*@@$/gm)).toEqual(["@@ -1,3 +1,4 @@", "@@ -18,3 +19,4 @@"]);
  });

  it("says when the last line does not end", () => {
    expect(unifiedDiff("a", "x", "x\n")).toContain("-x\n\\ No newline at end of file\n+x\n");
  });

  it("leads from the first to the second, whatever they are", () => {
    const text = fc
      .array(fc.constantFrom("a", "b", "c", ""), { maxLength: 30 })
      .map((lines) => lines.map((line) => `${line}\n`).join(""));
    fc.assert(
      fc.property(text, text, (before, after) => {
        expect(patched(before, unifiedDiff("t", before, after))).toBe(after);
      }),
    );
  });
});
