import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isWellFormed, wellFormed } from "../../../src/attributes/index.js";

const strict = new TextDecoder("utf-8", { fatal: true });
const units = fc.string({
  unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
});
const surrogates = fc.string({
  unit: fc.constantFrom("a", "é", "\ud800", "\udbff", "\udc00", "\udfff", "😀"),
});

/** Whether the text comes back from UTF-8 as it was. */
const comesBack = (text: string): boolean => Buffer.from(text, "utf8").toString("utf8") === text;

describe("a text that goes out as UTF-8", () => {
  it.each([
    ["", ""],
    ["plain", "plain"],
    ["grüße 😀", "grüße 😀"],
    ["\ud800", "\ufffd"],
    ["a\udc00b", "a\ufffdb"],
    ["\udc00\ud800", "\ufffd\ufffd"],
    ["\ud83d\ud83d\ude00\ude00", "\ufffd😀\ufffd"],
  ])("%j is %j", (text, expected) => {
    expect(wellFormed(text)).toBe(expected);
    expect(isWellFormed(text)).toBe(text === expected);
  });

  it("has a form whatever it was, and is left alone where it had one", () => {
    fc.assert(
      fc.property(fc.oneof(units, surrogates), (text) => {
        const whole = wellFormed(text);
        expect(comesBack(whole)).toBe(true);
        expect(strict.decode(Buffer.from(whole, "utf8"))).toBe(whole.replace(/^\ufeff/, ""));
        expect(isWellFormed(text)).toBe(comesBack(text));
        if (comesBack(text)) expect(whole).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });
});
