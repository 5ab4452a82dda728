import { describe, expect, it } from "vitest";
import { createAudienceCheck } from "../../../src/authn/audience.js";

const lax = (audiences: readonly string[], aud: readonly string[]): boolean =>
  createAudienceCheck(audiences, { exact: false })(aud);

describe("an audience", () => {
  it("does not matter where none is configured", () => {
    expect([lax([], []), lax([], ["x"])]).toEqual([true, true]);
  });

  it("must be there where some are", () => {
    expect([lax(["a"], []), lax(["a"], ["b", "c"]), lax(["a", "b"], ["x", "b"])]).toEqual([
      false,
      false,
      true,
    ]);
  });

  it.each([
    ["a.test", "https://a.test", true],
    ["https://a.test/", "http://a.test", true],
    ["a.test/x/", "a.test/x", true],
    ["a.test", "a.test//", false],
    ["a.test", "HTTPS://a.test", false],
    ["a.test", "A.test", false],
    ["a.test", "http://https://a.test", false],
    ["", "https:///", true],
    ["a", "aa", false],
  ])("%j and %j are one, but for scheme and slash: %j", (configured, aud, same) => {
    expect([lax([configured], [aud]), lax([aud], [configured])]).toEqual([same, same]);
  });

  it("is compared as it stands in strict mode", () => {
    const allows = createAudienceCheck(["https://a.test"], { exact: true });
    expect([allows(["https://a.test"]), allows(["a.test"]), allows(["https://a.test/"])]).toEqual([
      true,
      false,
      false,
    ]);
  });
});
