import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject, JsonValue } from "../../../src/attributes/index.js";
import { claimHeaders } from "../../../src/authn/claim-headers.js";
import { protobufJson } from "../../../src/authn/protobuf-json.js";

/** What a header gets from the claim `c`, or from a path into it. */
function header(payload: JsonObject, claim = "c"): string | undefined {
  return claimHeaders([{ header: "x", claim }], payload)[0]?.[1];
}

const decoded = (value: JsonValue): string =>
  Buffer.from(header({ c: value }) ?? "", "base64").toString("utf8");

describe("a header from a claim", () => {
  it.each([
    ["text", "text"],
    ["grüße", "gr\xc3\xbc\xc3\x9fe"],
    [true, "true"],
    [false, "false"],
    [0, "0"],
    [-0, "0"],
    [42, "42"],
    [2 ** 53, "9007199254740992"],
    [1e19, "10000000000000000000"],
    [2 ** 64, "18446744073709551616.000000"],
    [1e21, "1000000000000000000000.000000"],
    [-1, "-1.000000"],
    [1.5, "1.500000"],
    [0.1, "0.100000"],
    [1e-7, "0.000000"],
    [-1e22, "-10000000000000000000000.000000"],
    // A half goes to the even digit, as in C.
    [1 / 128, "0.007812"],
    [5 / 128, "0.039062"],
    [3 / 128, "0.023438"],
    [-1 / 128, "-0.007812"],
    [1 + 1 / 128, "1.007812"],
    [0.0000005, "0.000000"],
    [0.0000015, "0.000002"],
    [2.5, "2.500000"],
  ])("of %j is %j", (value, text) => {
    expect(header({ c: value })).toBe(text);
  });

  it.each([[undefined], [null], [""]])("is not there for %j", (value) => {
    expect(header(value === undefined ? {} : { c: value })).toBeUndefined();
  });

  it("of a list or an object is base64 of its JSON", () => {
    expect(header({ c: ["a", 1] })).toBe("WyJhIiwxXQ==");
    expect(header({ c: [] })).toBe("W10=");
    expect(header({ c: { a: { b: null } } })).toBe(Buffer.from('{"a":{"b":null}}').toString("base64"));
  });

  it("may be led to by dots, through objects only", () => {
    const payload: JsonObject = {
      a: { "": { c: "empty" }, b: "deep" },
      "a.b": "flat",
      l: [{ x: "y" }],
      t: "abc",
    };
    expect(header(payload, "a.b")).toBe("deep");
    expect(header(payload, "a..c")).toBe("empty");
    expect([
      header(payload, "l.0.x"),
      header(payload, "t.0"),
      header(payload, "t.length"),
      header(payload, "a.b.c"),
    ]).toEqual(Array.from({ length: 4 }));
  });

  it("comes from the token's own claims, never from a prototype", () => {
    const names = ["constructor", "__proto__", "toString", "constructor.name", "__proto__.x"];
    expect(names.map((name) => header({}, name))).toEqual(names.map(() => undefined));
    expect(header(JSON.parse('{"__proto__":{"x":"own"}}') as JsonObject, "__proto__.x")).toBe("own");
  });

  it("keeps the order of the rule", () => {
    const outputs = ["b", "none", "a"].map((claim) => ({ header: `x-${claim}`, claim }));
    expect(claimHeaders(outputs, { a: "1", b: "2" })).toEqual([
      ["x-b", "2"],
      ["x-a", "1"],
    ]);
  });
});

describe("the JSON of a claim", () => {
  it.each([
    [1, "1"],
    [-0, "-0"],
    [0.1, "0.1"],
    [123_456_789_012_345, "123456789012345"],
    [1e15, "1e+15"],
    [1_234_567_890_123_456, "1234567890123456"],
    [123_456_789_012_345_680, "1.2345678901234568e+17"],
    [1e20, "1e+20"],
    [2 ** 64, "1.8446744073709552e+19"],
    [1e-5, "1e-05"],
    [0.0001, "0.0001"],
    [5e-324, "4.94065645841247e-324"],
    [-1.5e300, "-1.5e+300"],
    // A half goes to the even digit, as in C.
    [2 ** -25, "2.9802322387695312e-08"],
    [-(2 ** -25), "-2.9802322387695312e-08"],
    [3 * 2 ** -25, "8.9406967163085938e-08"],
  ])("writes %j as protobuf does", (value, text) => {
    expect(decoded([value])).toBe(`[${text}]`);
  });

  it("escapes what cannot be seen, and angle brackets", () => {
    expect(decoded(['<a href="/">&\'</a>'])).toBe('["\\u003ca href=\\"/\\"\\u003e&\'\\u003c/a\\u003e"]');
    expect(decoded(["\b\t\n\f\r\\\0\x1f\x7f\x9f\xa0"])).toBe(
      '["\\b\\t\\n\\f\\r\\\\\\u0000\\u001f\\u007f\\u009f\xa0"]',
    );
    expect(decoded(["\u2028\ufeff\u{e0001}😀"])).toBe('["\\u2028\\ufeff\\udb40\\udc01😀"]');
  });

  it("reads back as the value that it was", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "grapheme" }), (value) => {
        expect(JSON.parse(protobufJson(value as JsonValue))).toEqual(value);
      }),
    );
  });
});
