import { describe, expect, it } from "vitest";
import { splitDocuments } from "../../../src/config/documents.js";

const lines = (text: string): [string, number][] =>
  splitDocuments(text).map(({ text, line }) => [text.trim(), line]);

describe("a file is cut into documents", () => {
  it("at `---`, each with its first line", () => {
    expect(lines("a: 1\n---\nb: 2\nc: 3\n---\nd: 4")).toEqual([
      ["a: 1", 1],
      ["b: 2\nc: 3", 3],
      ["d: 4", 6],
    ]);
  });

  it("but not at dashes that are no marker", () => {
    expect(lines("a: |\n  ---\n----\n --- \n---x\n")).toHaveLength(1);
  });

  it("keeping what stands on the marker's line", () => {
    expect(lines("--- {a: 1}\n--- # comment\nb: 2\n")).toEqual([
      ["{a: 1}", 1],
      ["# comment\nb: 2", 2],
    ]);
  });

  it("at `...` as well", () => {
    expect(lines("a: 1\n...\nb: 2\n")).toEqual([
      ["a: 1", 1],
      ["b: 2", 3],
    ]);
  });

  it("leaving out what has no content", () => {
    expect(lines("")).toEqual([]);
    expect(lines("---\n---\n# only a comment\n--- \n\n  \n%YAML 1.1\n---\na: 1\n---")).toEqual([["a: 1", 9]]);
  });

  it("with Windows line ends and a byte order mark", () => {
    expect(lines("\ufeffa: 1\r\n---\r\nb: 2\r\n")).toEqual([
      ["a: 1", 1],
      ["b: 2", 3],
    ]);
  });

  it("ten thousand of them without delay", () => {
    const text = Array.from({ length: 10_000 }, (_, i) => `a: ${i}\nb:\n  c: d\n`).join("---\n");
    expect(splitDocuments(text)).toHaveLength(10_000);
  });
});
