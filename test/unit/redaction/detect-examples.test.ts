import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { ibanLengths } from "../../../src/redaction/iban.js";
import {
  checkPattern,
  compileDetectors,
  type DetectorName,
  type DetectorRule,
  RedactionError,
} from "../../../src/redaction/index.js";
import {
  anthropic,
  aws,
  everything,
  github,
  google,
  jwt,
  pem,
  slack,
  stripe,
  through,
} from "./detect-samples.js";

const grouped = (text: string): string => (text.match(/.{1,4}/g) ?? []).join(" ");

function redact(what: DetectorRule["what"], text: string): string {
  const detectors = compileDetectors([{ name: "it", what, action: "redact", replacement: "#" }]);
  return through(detectors, [Buffer.from(text)]).out.toString();
}

const table: Record<DetectorName, readonly (readonly [text: string, redacted: string])[]> = {
  paymentCard: [
    ["4111111111111111", "#"],
    ["pay 4111 1111 1111 1111 12/27", "pay # 12/27"],
    ["pay 4111-1111-1111-1111.", "pay #."],
    ["cvv 123 4111 1111 1111 1111", "cvv 123 #"],
    ['"5555555555554444"', '"#"'],
    ["2223003122003222", "#"],
    ["378282246310005", "#"],
    ["3782 822463 10005", "#"],
    ["6011111111111117", "#"],
    ["30569309025904", "#"],
    ["3530111333300000", "#"],
    ["6200000000000005", "#"],
    ["6759649826438453", "#"],
    ["4222222222222", "#"],
    ["4111111111111112", "4111111111111112"],
    ["1234567812345670", "1234567812345670"],
    ["94111111111111111", "94111111111111111"],
    ["41111111111111110", "41111111111111110"],
    ["x4111111111111111", "x4111111111111111"],
    ["4111111111111111x", "4111111111111111x"],
    ["0.4111111111111111", "0.4111111111111111"],
    ["4111 1111-1111 1111", "4111 1111-1111 1111"],
    ["4111  1111 1111 1111", "4111  1111 1111 1111"],
    ["4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"],
    ["é4111111111111111é", "é#é"],
  ],
  iban: [
    ["GB82WEST12345698765432", "#"],
    ["to GB82 WEST 1234 5698 7654 32, today", "to #, today"],
    ["DE89370400440532013000.", "#."],
    ["DE89 3704 0044 0532 0130 00", "#"],
    ["NO9386011117947", "#"],
    ["MT84MALT011000012345MTLCAST001S", "#"],
    ["LC55HEMM000100010012001200023015", "#"],
    ["GB82WEST12345698765433", "GB82WEST12345698765433"],
    ["XX82WEST12345698765432", "XX82WEST12345698765432"],
    ["GB82WEST123456987654321", "GB82WEST123456987654321"],
    ["AGB82WEST12345698765432", "AGB82WEST12345698765432"],
    ["gb82west12345698765432", "gb82west12345698765432"],
    ["GB82 WEST12345698765432", "GB82 WEST12345698765432"],
    ["GB82  WEST 1234 5698 7654 32", "GB82  WEST 1234 5698 7654 32"],
  ],
  email: [
    ["alice@example.com", "#"],
    ["<a.b+c_d%e-f@mail.example.co.uk>", "<#>"],
    ["mail bob@example.com. Then", "mail #. Then"],
    ["email=bob@example.com&x=1", "email=#&x=1"],
    ["bob@bücher.example", "#"],
    ["bob@example.xn--p1ai", "#"],
    ["信bob@example.com。谢谢", "信#。谢谢"],
    ["a@b.cd@e.fg", "#@e.fg"],
    [`${"x".repeat(70)}@example.com`, "xxxxxx#"],
    ["bob@localhost", "bob@localhost"],
    ["bob@10.0.0.1", "bob@10.0.0.1"],
    ["bob@example.c", "bob@example.c"],
    ["bob@-x.example", "bob@-x.example"],
    ["@example.com", "@example.com"],
    ["bob@example..com", "bob@example..com"],
    [`bob@${"x".repeat(64)}.com`, `bob@${"x".repeat(64)}.com`],
  ],
  secretToken: [
    [jwt, "#"],
    [`cookie=${jwt}; path=/`, "cookie=#; path=/"],
    [`${jwt}.`, "#."],
    [`${jwt}..com`, "#..com"],
    [`${jwt}...`, "#..."],
    [`${jwt}.part`, "#"],
    [`${jwt}.part.tag.`, "#."],
    [`${jwt}.part..`, "#.."],
    ["eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn", "#"],
    ["eyJhbGciOiJub25lIn0.e30.", "#"],
    ["eyJub3QiOiJhIn0.e30.abc", "eyJub3QiOiJhIn0.e30.abc"],
    ["eyJhbGciOiJub25lIn0.e30", "eyJhbGciOiJub25lIn0.e30"],
    ["eyJ.eyJ.eyJ", "eyJ.eyJ.eyJ"],
    [aws, "#"],
    [`${aws}A`, `${aws}A`],
    [`x${aws}`, `x${aws}`],
    [github, "#"],
    [github.slice(0, -1), github.slice(0, -1)],
    [`github_${"pat"}_11ABCDEFG0aaaaaaaaaaaa_bbbb`, "#"],
    [slack, "#"],
    [`key=${google}&`, "key=#&"],
    [stripe, "#"],
    [anthropic, "#"],
    ["sk-learn-and-other-words-in-kebab", "sk-learn-and-other-words-in-kebab"],
    ["Authorization: Bearer 0123456789abcdefABCD==", "Authorization: #"],
    ["the bearer of good news of internationalisation", "the bearer of good news of internationalisation"],
  ],
  privateKey: [
    [`a\n${pem}\nb`, "a\n#\nb"],
    [pem.replaceAll("RSA ", ""), "#"],
    [pem.replaceAll("RSA ", "OPENSSH "), "#"],
    [pem.replaceAll("RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK"), "#"],
    [`a ${pem.slice(0, -20)}`, "a #"],
    [`${pem.slice(0, 60)}${"x".repeat(20_000)}`, `#${"x".repeat(20_000 + 60 - 16_384)}`],
    [pem.replaceAll("PRIVATE", "PUBLIC"), pem.replaceAll("PRIVATE", "PUBLIC")],
    ["-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----"],
  ],
};

describe.each(Object.entries(table))("the detector %s", (detector, rows) => {
  it.each(rows)("makes of %j: %j", (text, redacted) => {
    expect(redact({ detector: detector as DetectorName }, text)).toBe(redacted);
  });
});

/** An IBAN of this country with check digits of MOD 97-10 (ISO/IEC 7064). */
function ibanOf(country: string, length: number): string {
  const account = "7A20".repeat(8).slice(0, length - 4);
  const digits = `${account}${country}00`.replace(/[A-Z]/g, (letter) => String(Number.parseInt(letter, 36)));
  return country + String(98n - (BigInt(digits) % 97n)).padStart(2, "0") + account;
}

describe("an IBAN", () => {
  it.each([...ibanLengths])("of %s has %i characters, no more and no less", (country, length) => {
    for (const written of [ibanOf(country, length), grouped(ibanOf(country, length))]) {
      expect(redact({ detector: "iban" }, `to ${written}.`)).toBe("to #.");
    }
    for (const other of [ibanOf(country, length - 1), ibanOf(country, length + 1)]) {
      expect(redact({ detector: "iban" }, other)).toBe(other);
    }
  });

  it("is of one of the 89 countries of the registry, territories having their country's", () => {
    expect(ibanLengths.size).toBe(89);
    for (const country of ["US", "GG", "JE", "RE", "GF", "AX", "MA", "DZ"]) {
      expect(ibanLengths.has(country)).toBe(false);
    }
  });
});

describe("an own pattern", () => {
  it.each([
    ["ACME-[0-9]+", 32, "an ACME-123, ACME-x", "an #, ACME-x"],
    ["\\bcat\\b", 3, "cat concat cat", "# concat #"],
    ["a|ab", 8, "ab", "#b"],
    ["ab|a", 8, "ab", "#"],
    ["<.*?>", 16, "<a><b>", "##"],
    ["<.*>", 16, "<a><b>", "#"],
    ["^x", 1, "xx", "#x"],
    ["x$", 1, "xx", "x#"],
    ["(?m)^x$", 1, "x\nxx\nx", "#\nxx\n#"],
    ["(?i)secret", 6, "SeCrEt", "#"],
    ["[0-9]+", 4, "123456", "##"],
    ["a.*b", 4, "aaaxb a12345b", "a# a12345b"],
    ["é+", 8, "caféé!", "caf#!"],
    ["caf.", 8, "café!", "#!"],
    [".", 1, "é", "#"],
  ])("%s of at most %i bytes makes of %j: %j", (pattern, maxLength, text, redacted) => {
    expect(redact({ pattern, maxLength }, text)).toBe(redacted);
  });

  it.each([
    ["a*", 8, "matches the empty text, expected one byte at the least"],
    ["(", 8, "is not valid: expected RE2 syntax: missing closing ): `(`"],
    ["(?=a)", 8, expect.stringContaining("is not valid: expected RE2 syntax")],
    ["(?<=a)b", 8, expect.stringContaining("is not valid")],
    ["[é]", 8, "is not valid: `é` in a class is more than one byte, expected alternatives: `(?:ä|ö)`"],
    ["\\p{L}", 8, "is not valid: `\\p` is not for bytes, expected classes of ASCII"],
    ["\\x{100}", 8, "is not valid: `\\x{100}` is no byte, expected at most `\\xff`, or the character itself"],
    ["(?i)é", 8, "is not valid: `(?i)` folds letters of ASCII only, expected no others beside it"],
    ["[0-9]{600}", 8, "is not valid: its program has 602 instructions, expected at most 500"],
    ["[^\\x00-\\x{ff}]", 8, "matches nothing"],
    ["a", 0, "has a maxLength of 0, expected 1 to 4096 bytes"],
    ["a", 4097, "has a maxLength of 4097, expected 1 to 4096 bytes"],
  ])("%s with maxLength %i is refused", (pattern, maxLength, reason) => {
    expect(checkPattern(pattern, maxLength)).toEqual(reason);
  });

  it("that is good is not refused", () => {
    expect(checkPattern("ACME-[0-9]{6}|[^]x]é\\Qé[\\E", 64)).toBeUndefined();
  });
});

describe("several rules", () => {
  it("find the leftmost first, of one start the longest, then the first rule's", () => {
    const rule = (name: string, pattern: string): DetectorRule => ({
      name,
      what: { pattern, maxLength: 8 },
      action: "redact",
      replacement: `[${name}]`,
    });
    const detectors = compileDetectors([
      rule("b", "b+"),
      rule("ab", "ab"),
      rule("abc", "abc"),
      rule("c", "abc"),
    ]);
    const { out, findings } = through(detectors, [Buffer.from("ab abc bb xb")]);
    expect(out.toString()).toBe("[ab] [abc] [b] x[b]");
    expect(findings).toEqual({ ab: 1, abc: 1, b: 2 });
  });

  it("count what each of them found", () => {
    const text = `alice@example.com 4111111111111111 ACME-1234-x bob@example.com ${jwt}`;
    const { out, findings } = through(everything, [Buffer.from(text)]);
    expect(out.toString()).toBe("[email] [card] [ünser] [email] [token]");
    expect(findings).toEqual({ email: 2, card: 1, own: 1, token: 1 });
  });
});

describe("a rule that denies", () => {
  const detectors = compileDetectors([
    { name: "cards", what: { detector: "paymentCard" }, action: "deny", replacement: "" },
  ]);

  it("throws as soon as its match is sure, names itself, and counts", () => {
    const transform = detectors.transform();
    transform.push(Buffer.from("pay 4111 1111 1111"));
    let thrown: unknown;
    try {
      transform.push(Buffer.from(" 1111, now"));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RedactionError);
    expect(thrown).toMatchObject({ fault: "detected", rule: "cards" });
    expect(String(thrown)).not.toContain("4111");
    expect(transform.findings).toEqual(new Map([["cards", 1]]));
  });

  it("throws at the end where only that makes it sure", () => {
    const transform = detectors.transform();
    expect(transform.push(Buffer.from("4111111111111111"))).toHaveLength(0);
    expect(() => transform.end()).toThrow(RedactionError);
  });
});

describe("a body", () => {
  it.each([
    ["UTF-16, little endian", Buffer.from("\ufeff4111111111111111", "utf16le")],
    ["UTF-16, big endian", Buffer.from("\ufeff4111111111111111", "utf16le").swap16()],
    ["gzip that nobody told of", gzipSync("4111111111111111")],
  ])("of %s is refused, since nothing would be found in it", (_, body) => {
    for (const size of [1, body.length]) {
      const transform = everything.transform();
      const push = (): void => {
        transform.push(Buffer.alloc(0));
        for (let at = 0; at < body.length; at += size) transform.push(body.subarray(at, at + size));
      };
      expect(push).toThrow(expect.objectContaining({ fault: "malformed" }));
    }
  });

  it("of another form passes, a byte order mark of UTF-8 too", () => {
    for (const begin of ["\xef\xbb\xbf", "\xff", "\xff\xfb", "\0", "\x1f", ""]) {
      const body = Buffer.from(`${begin} 4111111111111111`, "latin1");
      for (const chunks of [[body], Array.from(body, (byte) => Uint8Array.of(byte))]) {
        expect(through(everything, chunks).out.toString("latin1")).toBe(`${begin} [card]`);
      }
    }
    expect(through(everything, [Uint8Array.of(0xff)]).out).toEqual(Buffer.of(0xff));
  });
});

describe("what is held back", () => {
  it("is nothing of a text in which nothing can have begun", () => {
    const transform = everything.transform();
    const chunk = Buffer.from("Nothing to see here. ");
    expect(transform.push(chunk)).toBe(chunk);
    expect(transform.heldBytes).toBe(0);
  });

  it("is what can be the begin of a match, and no more", () => {
    const transform = everything.transform();
    expect(Buffer.from(transform.push(Buffer.from("card: 4111 1111 "))).toString()).toBe("card: ");
    expect(transform.heldBytes).toBe(10);
    expect(Buffer.from(transform.push(Buffer.from("no!"))).toString()).toBe("4111 1111 no!");
  });
});
