import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeBase64url } from "../../../src/authn/base64url.js";
import { parseJwt } from "../../../src/authn/jwt.js";
import { fastestMs } from "../../support/cost.js";

const read = (text: string): string | undefined => decodeBase64url(text)?.toString("latin1");

describe("base64url as Envoy reads it", () => {
  it.each([
    ["", ""],
    ["YQ", "a"],
    ["YWI", "ab"],
    ["YWJj", "abc"],
    ["_-8", "\xff\xef"],
  ])("%j is %j", (text, bytes) => {
    expect(read(text)).toBe(bytes);
  });

  it("may be padded in full or not at all", () => {
    expect([read("YQ=="), read("YWI=")]).toEqual(["a", "ab"]);
    expect([read("YQ="), read("YWI=="), read("YWJj="), read("="), read("YQ===")]).toEqual(
      Array.from({ length: 5 }),
    );
  });

  it("skips white space", () => {
    expect(read(" Y\tW\nJ\rj\v\f")).toBe("abc");
    expect(read("YQ = =")).toBe("a");
  });

  it("pays no heed to bits that mean nothing", () => {
    expect(read("YR")).toBe("a");
  });

  it.each(["Y", "YWJjZ", "YQ==YQ==", "YW=I", "+/8", "YQ%3D", "YQ.", "Y\0Q", "\xa0YQ", "é", "YQ\u2028"])(
    "is not %j",
    (text) => {
      expect(read(text)).toBeUndefined();
    },
  );

  it("is read in a time that grows with its length only, whatever stands in it", () => {
    for (const char of ["=", " ", "A"]) {
      const part = `A${char.repeat(59_000)}*`;
      expect(fastestMs(() => decodeBase64url(part))).toBeLessThan(200);
      expect(fastestMs(() => parseJwt(`${part}.${part}.${part}`))).toBeLessThan(200);
    }
  });

  it("gives back what was written, whatever it was", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Buffer.from(bytes).toString("base64url");
        expect(decodeBase64url(text)).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it("never reads a text of other characters", () => {
    const other = fc.string({ minLength: 1, maxLength: 1 }).filter((char) => !/[\w\-=\s]/.test(char));
    fc.assert(
      fc.property(fc.base64String(), other, fc.nat(), (text, char, at) => {
        const cut = at % (text.length + 1);
        expect(decodeBase64url(text.slice(0, cut) + char + text.slice(cut))).toBeUndefined();
      }),
    );
  });
});
