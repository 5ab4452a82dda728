import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJsonObject } from "../../../src/authn/json-object.js";

const read = (text: string | Uint8Array): unknown => parseJsonObject(Buffer.from(text as string));

/** A member whose value lies under so many lists. */
const lists = (depth: number): string => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
const objects = (depth: number): string => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;

describe("a JSON object as Envoy reads it", () => {
  it("is what RFC 8259 says", () => {
    const value = {
      text: 'é\u2028"\\/\b\f\n\r\t',
      numbers: [0, -1, 1.5, 1e-7, 1e300],
      nested: { list: [{}, [], null, true, false] },
      "": "",
    };
    expect(read(JSON.stringify(value))).toEqual(value);
    expect(read(JSON.stringify(value, null, "\t"))).toEqual(value);
    expect(read(' \r\n{"\\u0061\\ud83d\\ude00":"\\/"}\t')).toEqual({ "a😀": "/" });
  });

  it("may have a comma behind its last item, single quotes, names without quotes and raw controls", () => {
    expect(read('{"a":[1,2,],}')).toEqual({ a: [1, 2] });
    expect(read(`{'a':'it''}`)).toBeUndefined();
    expect(read(`{'a"':'\\'"',$b_1:"'"}`)).toEqual({ 'a"': "'\"", $b_1: "'" });
    expect(read('{"a":"x\ny\0\x7f"}')).toEqual({ a: "x\ny\0\x7f" });
  });

  it("is empty where null stands in its place", () => {
    expect(read("null")).toEqual({});
  });

  it("holds `__proto__` and `constructor` as names like any other", () => {
    const object = parseJsonObject(Buffer.from('{"__proto__":{"iss":"x"},"constructor":1}'));
    expect(Object.getOwnPropertyNames(object)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
    expect(object?.["iss"]).toBeUndefined();
  });

  it.each([
    ["a name given twice", '{"a":1,"a":1}'],
    ["a name given twice by an escape", '{"a":1,"\\u0061":1}'],
    ["a name given twice, deep inside", '{"x":[{"a":1,"b":2,"a":3}]}'],
    ["`__proto__` given twice", '{"__proto__":1,"__proto__":2}'],
    ["a comment", '{"a":1/**/}'],
    ["a byte order mark", "\ufeff{}"],
    ["something behind it", "{} x"],
    ["a second object", "{}{}"],
    ["a NUL behind it", "{}\0"],
    ["no end", '{"a":"b'],
    ["no value", '{"a"}'],
    ["only a comma", "{,}"],
    ["two commas", '{"a":[1,,2]}'],
    ["no comma", '{"a":1"b":2}'],
    ["a vertical tab", "{\v}"],
    ["NaN", '{"a":NaN}'],
    ["Infinity", '{"a":Infinity}'],
    ["a number that overflows", '{"a":1e400}'],
    ["a number of 400 digits", `{"a":${"9".repeat(400)}}`],
    ["a leading zero", '{"a":01}'],
    ["a plus", '{"a":+1}'],
    ["a point without digits behind", '{"a":1.}'],
    ["a point without digits before", '{"a":.5}'],
    ["hexadecimal digits", '{"a":0x1}'],
    ["only a minus", '{"a":-}'],
    ["True", '{"a":True}'],
    ["a word that begins well", '{"a":trueish}'],
    ["an escape of nothing", '{"a":"\\q"}'],
    ["an escape with too few digits", '{"a":"\\u00z0"}'],
    ["a lone high surrogate", '{"a":"\\ud800"}'],
    ["a lone low surrogate", '{"a":"\\udc00"}'],
    ["surrogates in the wrong order", '{"a":"\\udc00\\ud800"}'],
    ["a lone surrogate in a name", '{"\\ud800":1}'],
    ["a list", "[]"],
    ["a text", '"a"'],
    ["a number", "1"],
    ["true", "true"],
    ["nothing", ""],
  ])("is refused with %s", (_what, text) => {
    expect(read(text)).toBeUndefined();
  });

  it.each([
    ["no UTF-8", [0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]],
    ["an overlong form", [0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]],
    ["an encoded surrogate", [0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]],
  ])("is refused with %s", (_what, bytes) => {
    expect(read(new Uint8Array(bytes))).toBeUndefined();
  });

  it("has at most 100 levels", () => {
    expect([read(lists(99)), read(objects(100))]).not.toContain(undefined);
    expect([read(lists(100)), read(objects(101)), read(lists(100_000))]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("is what JSON.parse makes of it, where it was written by JSON.stringify", () => {
    const json = fc.jsonValue({ stringUnit: "binary", maxDepth: 3 });
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "binary" }), json, { maxKeys: 5 }), (object) => {
        const text = JSON.stringify(object);
        expect(JSON.stringify(read(text))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it("is an object or undefined for any bytes", () => {
    const alphabet = fc.constantFrom(..."{}[]:,\"'\\u0d8.e-1tn a\n\0\xff");
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc.string({ unit: alphabet, maxLength: 40 }).map((text) => Buffer.from(text, "latin1")),
    );
    fc.assert(
      fc.property(hostile, (bytes) => {
        const value = parseJsonObject(bytes);
        if (value !== undefined) expect(Array.isArray(value) || typeof value !== "object").toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it("takes a megabyte of escapes in its stride", () => {
    const started = performance.now();
    expect(read(`{"a":"${"\\n".repeat(500_000)}"}`)).toBeDefined();
    expect(read('{"a":"'.repeat(100_000))).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
