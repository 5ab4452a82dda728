import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ContentError, decodeJson } from "../../../src/content/index.js";

const of = (text: string): string => decodeJson(Buffer.from(text));

/** What the decoder throws; anything but its own error fails the test. */
function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof ContentError) return error.code;
    throw error;
  }
}

describe("decoded json", () => {
  it.each([
    ["1.0"],
    ["-0"],
    ["1e400"],
    ["12345678901234567890123"],
    ['{"a":[1.50,{"b":null}],"c":"\\u00e9é\\n"}'],
  ])("keeps %s as it is", (text) => {
    expect(of(text)).toBe(text);
  });

  it.each([
    ['{"a":1.0,"a":2.0}', '{"a":2.0}'],
    ['{"a":1,"b":2,"\\u0061":3}', '{"a":3,"b":2}'],
    ['"\\ud800"', '"\ufffd"'],
    ['"\\ud83d\\ude00 \\udead"', '"😀 \ufffd"'],
    ['{"\\ud800":1,"\\udfff":2}', '{"\ufffd":2}'],
    ['{"__proto__":1,"__proto__":{}}', '{"__proto__":{}}'],
  ])("of %s is %s", (text, expected) => {
    expect(of(text)).toBe(expected);
  });

  it("has one U+FFFD for each byte that is not utf-8", () => {
    expect(decodeJson(Buffer.from([0x22, 0x61, 0xed, 0xa0, 0x80, 0xf0, 0x9f, 0x22]))).toBe(
      `"a${"\ufffd".repeat(5)}"`,
    );
  });

  it.each([
    "",
    " \n",
    "\ufeff{}",
    "01",
    "1.",
    ".5",
    "+1",
    "-",
    "1e",
    "NaN",
    "Infinity",
    "[1,]",
    '{"a":1,}',
    "{a:1}",
    "'a'",
    '"\t"',
    '"\\x"',
    '"\\u12g4"',
    "tru",
    "truex",
    "{} {}",
    "1 2",
    "[",
    "]",
    '{"a"',
    '{"a":',
    '"',
    "[1 2]",
    "// x\n1",
    '{"a":1]',
  ])("of `%s` is an error", (text) => {
    expect(codeOf(() => of(text))).toBe("bad_json");
  });

  it("is there exactly for what JSON.parse takes, and means the same", () => {
    const alphabet = fc.constantFrom(
      ...'{}[]",:\\u0d8e+-.19tnf /ltrsa\n\u0001é'.split(""),
      "null",
      "true",
      '"a":',
      "\\ud8",
    );
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 12 }), (parts) => {
        const text = parts.join("");
        let expected: unknown;
        let valid = true;
        try {
          expected = JSON.parse(text);
        } catch {
          valid = false;
        }
        const code = codeOf(() => of(text));
        expect(code).toBe(valid ? undefined : "bad_json");
        if (valid && !text.includes("\\ud")) expect(JSON.parse(of(text))).toEqual(expected);
      }),
      { numRuns: 5_000 },
    );
    fc.assert(
      fc.property(
        fc.json(),
        fc.nat(),
        fc.constantFrom("", "}", "]", ",", '"', "\\", "0", " "),
        (json, at, edit) => {
          const place = at % (json.length + 1);
          const text = json.slice(0, place) + edit + json.slice(place + (at % 2));
          const code = codeOf(() => of(text));
          if (code === undefined) expect(JSON.parse(of(text))).toEqual(JSON.parse(text));
          else expect(() => JSON.parse(text)).toThrow();
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("may be nested up to the limit, and no deeper", () => {
    const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
    expect(of(nested(1_000))).toBe(nested(1_000));
    expect(codeOf(() => of(nested(1_001)))).toBe("too_deep");
    expect(codeOf(() => of("[".repeat(1_000_000)))).toBe("too_deep");
    expect(
      decodeJson(Buffer.from(`${'{"a":1,"a":'.repeat(9_999)}1${"}".repeat(9_999)}`), 10_000).length,
    ).toBe(59_995);
  });

  it("of large objects with equal and with different keys takes no long", () => {
    const keys = Array.from({ length: 100_000 }, (_, i) => `"k${i % 50_000}":${i}`).join();
    expect(of(`{${keys}}`).length).toBeLessThan(keys.length);
  });
});
