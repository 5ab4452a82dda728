import { describe, expect, it } from "vitest";
import { compilePathTemplate } from "../../../src/matchers/index.js";

describe("forms of a path template", () => {
  it.each([
    ["/a/**.mpd", "/a/x/y.mpd", true],
    ["/a/*.mpd", "/a/x/y.mpd", false],
    ["/{x=*/*}/c", "/a/b/c", true],
    ["/a{x}b/c", "/a1b/c", true],
    ["/{x=a}b/c", "/ab/c", true],
    ["/a*", "/aaa", true],
    ["/a*", "/a*", false],
    ["/***", "/", undefined],
    ["/{x=**}*", "/a/b", true],
  ])("%s on %s: %s", (template, path, expected) => {
    if (expected === undefined) expect(() => compilePathTemplate(template)).toThrow("repeats nothing");
    else expect(compilePathTemplate(template)(path)).toBe(expected);
  });

  it.each([
    ["a wildcard behind `**`", "/**/*"],
    ["a wildcard behind `**` inside a variable", "/{x=**}/{y}"],
    ["text behind a wildcard that is not in the last segment", "/*b/c"],
    ["an empty segment", "/a//b"],
    ["a brace that does not close", "/{x"],
    ["two variables in one segment", "/{x}{y}"],
    ["a name that stands twice", "/{x}/{x}"],
    ["a name of 17 characters", "/{abcdefghijklmnopq}"],
    ["six variables", "/{a}/{b}/{c}/{d}/{e}/{f}"],
    ["a query", "/a?b"],
    ["a character that no path has", "/a[b]"],
    ["257 characters", `/${"a".repeat(256)}`],
  ])("%s does not load", (_, template) => {
    expect(() => compilePathTemplate(template)).toThrow("path template");
  });
});
