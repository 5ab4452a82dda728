import { describe, expect, it } from "vitest";
import { compilePathTemplate } from "../../../src/matchers/index.js";

describe("a path template", () => {
  it.each([
    ["/foo/**", "/foo/", true],
    ["/foo/**", "/foo//", true],
    ["/foo/**", "/foo", false],
    ["/foo/**/", "/foo//", true],
    ["/foo/**/", "/foo/", false],
    ["/*", "/", false],
    ["/*", "/a", true],
    ["/*", "/a/b", false],
    ["/**/items", "/items", false],
    ["/**/items", "//items", true],
    ["/a/*/c", "/a/b=1*;x/c", true],
    ["/a/*/c", "/a//c", false],
    ["/admin/**", "/admin/[x]", false],
    ["/admin/**", '/admin/"x"', false],
    ["/a.b/*", "/aXb/c", false],
    ["/a/{id=*}/b", "/a/7/b", true],
    ["/a/{rest=**}", "/a/b/c", true],
    ["/a/{id}", "/a/b", true],
  ])("%s on %s: %s", (template, path, matches) => {
    expect(compilePathTemplate(template)(path)).toBe(matches);
  });

  it("must start with a slash", () => {
    expect(() => compilePathTemplate("a/*")).toThrow("must start with");
  });
});
