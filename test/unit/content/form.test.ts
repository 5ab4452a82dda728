import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ContentError, decodeForm, decodeMultipart, parseMediaType } from "../../../src/content/index.js";

const form = (text: string): unknown => JSON.parse(decodeForm(Buffer.from(text)));
const parts = (text: string, type = "multipart/form-data; boundary=b"): unknown =>
  JSON.parse(decodeMultipart(Buffer.from(text, "latin1"), type) ?? "null");
const part = (header: string, content: string): string => `--b\r\n${header}\r\n\r\n${content}\r\n`;
const named = 'Content-Disposition: form-data; name="a"';

/** Either a text or the module's own error. */
function sound(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(ContentError);
  }
}

describe("a form", () => {
  it.each([
    ["a=1&b=2&a=3", { a: ["1", "3"], b: ["2"] }],
    ["a=b=c&&x&=y", { a: ["b=c"], x: [""], "": ["y"] }],
    ["a+b=%2B+%C3%A9%ff", { "a b": ["+ é\ufffd"] }],
  ])("of `%s`", (text, expected) => {
    expect(form(text)).toEqual(expected);
  });

  it.each(["a;b", "a=1;b=2", "a=%", "a=%2", "%zz=1", "a=1&b=%x1"])("of `%s` is an error", (text) => {
    expect(() => form(text)).toThrow(expect.objectContaining({ code: "bad_query" }));
  });

  it("of more than 10,000 pairs is an error", () => {
    expect(
      Object.keys(form(Array.from({ length: 10_000 }, (_, i) => `k${i}`).join("&")) as object),
    ).toHaveLength(10_000);
    expect(() => form("&".repeat(1_000_000))).toThrow(expect.objectContaining({ code: "too_many" }));
  });

  it("agrees with URLSearchParams where that is as strict", () => {
    const word = fc.stringMatching(/^[a-zé+0-9]{0,5}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word)), (pairs) => {
        const text = pairs.map(([name, value]) => `${name}=${value}`).join("&");
        const expected = new Map<string, string[]>();
        for (const [name, value] of new URLSearchParams(text))
          expected.set(name, [...(expected.get(name) ?? []), value]);
        expect(form(text)).toEqual(Object.fromEntries(expected));
      }),
    );
  });
});

describe("a multipart body", () => {
  it("gives the parts of each name in order, JSON parts as values", () => {
    const json = `${named}\r\ncontent-type: application/json`;
    const body = `preamble\r\n${part(named, "1\r\n2")}${part(json, '{"x":1}')}${part("X: y", "no name")}--b--\r\n`;
    expect(parts(body)).toEqual({ a: ["1\r\n2", { x: 1 }] });
  });

  it.each([
    ["ends without a line end", `${part(named, "1")}--b--`, { a: ["1"] }],
    ["has bare line feeds", `--b\n${named}\n\n1\n--b--\n`, { a: ["1"] }],
    ["has an empty part", `--b\r\n${named}\r\n\r\n--b--`, { a: [""] }],
    ["has a line like the boundary", `${part(named, "--bc\r\n--b-")}--b--`, { a: ["--bc\r\n--b-"] }],
    ["is cut off in a header", `${part(named, "1")}--b\r\n${named}\r\n`, { a: ["1"] }],
    [
      "has an upper-case header",
      `--b\r\nCONTENT-DISPOSITION: Form-Data; NAME=a\r\n\r\n1\r\n--b--`,
      { a: ["1"] },
    ],
    [
      "has a folded header",
      `--b\r\nContent-Disposition: form-data;\r\n  name=a\r\n\r\n1\r\n--b--`,
      { a: ["1"] },
    ],
    ["has bytes", `${part(named, "\xff\xc3\xa9")}--b--`, { a: ["\ufffdé"] }],
    [
      "is quoted-printable",
      `${part(`${named}\r\nContent-Transfer-Encoding: Quoted-Printable`, "=C3=A9 =\r\nx=zz \r\ny=")}--b--`,
      { a: ["é x=zz\r\ny"] },
    ],
  ])("that %s", (_, body, expected) => {
    expect(parts(body)).toEqual(expected);
  });

  it.each([
    ["has no last boundary", part(named, "1")],
    ["is cut off in a part", `--b\r\n${named}\r\n\r\n1`],
    ["has no boundary", "text"],
    ["has junk between parts", `${part(named, "1")}--b--x\r\n--b--`],
    ["has a header without colon", `--b\r\nx\r\n\r\n1\r\n--b--`],
    ["begins its header with a space", `--b\r\n x: y\r\n\r\n1\r\n--b--`],
    ["has a control character in a header", `--b\r\nx: \x01\r\n\r\n1\r\n--b--`],
    ["has a JSON part that is none", `${part(`${named}\r\ncontent-type: application/json`, "{")}--b--`],
    ["has a preamble line that is too long", `${"x".repeat(5_000)}\r\n${part(named, "1")}--b--`],
  ])("that %s is an error", (_, body) => {
    expect(() => parts(body)).toThrow(ContentError);
  });

  it("has no value without a boundary, and is an error with an empty one", () => {
    expect(parts("x", "multipart/form-data")).toBeNull();
    expect(() => parts("x", 'multipart/form-data; boundary=""')).toThrow(ContentError);
  });

  it("is read or refused in bounded time, whatever it is", () => {
    const piece = fc.constantFrom(
      "--b",
      "--b--",
      "\r\n",
      "\n",
      named,
      ": ",
      "=",
      " ",
      "a",
      ";",
      '"',
      "\t",
      "\xff",
      "-",
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => sound(() => parts(`--b\r\n${pieces.join("")}`))),
      { numRuns: 1_000 },
    );
    const size = 300_000;
    for (const hostile of [
      " ",
      "\t",
      "a: b\r\n",
      "a: b\r\n ",
      "--b",
      "\r\n--b",
      "--b\r\n\r\n",
      "=",
      '";',
      "-",
      "\n",
    ]) {
      sound(() => parts(`--b\r\n${hostile.repeat(size / hostile.length)}`));
      sound(() => parts(`--b\r\nx: ${hostile.repeat(size / hostile.length)}`));
      sound(() => parts(part(named, hostile.repeat(size / hostile.length))));
    }
  });
});

describe("a media type", () => {
  it.each([
    ["Text/HTML ; Charset=UTF-8;", "text/html", { charset: "UTF-8" }],
    ['form-data; name="a\\"b\\c"', "form-data", { name: 'a"b\\c' }],
    ["x/y; a*0=1; a*1*=%32; a*2=3", "x/y", { a: "123" }],
    ["x/y; a*=utf-8'en'%C3%A9", "x/y", { a: "\xc3\xa9" }],
    ["x/y; a*=latin1'en'%E9", "x/y", {}],
    ["x/y; a=1; a=1", "x/y", { a: "1" }],
  ])("of `%s`", (text, type, parameters) => {
    const read = parseMediaType(text);
    expect([read.type, Object.fromEntries(read.parameters)]).toEqual([type, parameters]);
  });

  it.each(["", "/", "a/", "a b", "x/y; a", "x/y; a=", "x/y; =1", 'x/y; a="1', "x/y; a=1; a=2"])(
    "of `%s` is an error",
    (text) => {
      expect(() => parseMediaType(text)).toThrow(expect.objectContaining({ code: "bad_media_type" }));
    },
  );
});
