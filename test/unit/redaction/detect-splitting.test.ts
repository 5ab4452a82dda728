import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CompiledDetectors, checkPattern, compileDetectors } from "../../../src/redaction/index.js";
import { redactPlainly } from "./detect-reference.js";
import {
  anthropic,
  aws,
  cutAt,
  everything,
  github,
  google,
  jwt,
  pem,
  rules,
  slack,
  stripe,
  through,
} from "./detect-samples.js";

const grouped = (text: string, size: number): string =>
  (text.match(new RegExp(`.{1,${size}}`, "g")) ?? []).join(" ");

const planted = [
  ...["4111111111111111", "4222222222222", "6759649826438453", "4111 1111 1111 1111", "5555-5555-5555-4444"],
  ...["3782 822463 10005", "GB82WEST12345698765432", grouped("GB82WEST12345698765432", 4)],
  ...["NO9386011117947", grouped("DE89370400440532013000", 4), "LC55HEMM000100010012001200023015"],
  ...["alice@example.com", "b.c+d@mail.bücher.example", `${"x".repeat(66)}@example.xn--p1ai`],
  ...[
    jwt,
    aws,
    github,
    google,
    slack,
    stripe,
    anthropic,
    "Bearer 0123456789abcdefABCD==",
    pem,
    pem.slice(0, -9),
  ],
  ...["ACME-1234", "ACME-12345678-abc", "ACME-123456789"],
];

/** Small pieces of which the begins, borders and near misses of matches are made. */
const crumbs = [
  ...[
    " ",
    "-",
    ".",
    "+",
    "_",
    "@",
    "@",
    ":",
    '"',
    "\n",
    "é",
    "€",
    "😀",
    "x",
    "A",
    "4",
    "41",
    "1111",
    "@a.b",
    ".com",
  ],
  ...[
    "eyJ",
    "sk-",
    "sk_live_",
    "AKIA",
    "ghp_",
    "xoxb-",
    "Bearer ",
    "AIza",
    "-----BEGIN ",
    "-----",
    "PRIVATE KEY-----",
  ],
  ...["GB82", "ACME-", "ACME", "1", "xn--", "a", "0", "-----END PRIVATE KEY-----"],
];

const piece = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...planted) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(...planted), fc.nat(80)).map(([one, n]) => one.slice(n % one.length)),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(...planted), fc.nat(80)).map(([one, n]) => one.slice(0, n)),
  },
  { weight: 6, arbitrary: fc.constantFrom(...crumbs) },
  { weight: 1, arbitrary: fc.string({ maxLength: 6 }) },
);
const bytesOfPieces = fc.array(piece, { maxLength: 14 }).map((pieces) => Buffer.from(pieces.join("")));
const places = fc.array(fc.nat(2000), { maxLength: 20 });

const alone = rules.map((rule) => [rule.name, compileDetectors([rule])] as const);
const cases: readonly (readonly [string, CompiledDetectors, readonly string[]])[] = [
  ...alone.map(([name, detectors]) => [name, detectors, [name]] as const),
  ["all together", everything, rules.map(({ name }) => name)],
];

describe.each(cases)("of %s", (_, detectors, names) => {
  it("output and findings are those of the plain reference on the whole text", () => {
    fc.assert(
      fc.property(bytesOfPieces, (bytes) => {
        const { out, findings } = through(detectors, [bytes]);
        expect({ out: out.toString("latin1"), findings }).toEqual(
          redactPlainly(bytes.toString("latin1"), names),
        );
      }),
      { numRuns: 500 },
    );
  });

  it("output and findings are the same however the text is cut, and no more is held than is said", () => {
    fc.assert(
      fc.property(bytesOfPieces, places, (bytes, cuts) => {
        const whole = through(detectors, [bytes]);
        for (const chunks of [cutAt(bytes, cuts), Array.from(bytes, (byte) => Uint8Array.of(byte))]) {
          const { out, findings, mostHeld } = through(detectors, chunks);
          expect(out.toString("latin1")).toBe(whole.out.toString("latin1"));
          expect(findings).toEqual(whole.findings);
          expect(mostHeld).toBeLessThanOrEqual(detectors.mostHeld);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("an own pattern of any shape", () => {
  const atom = fc.constantFrom(
    "a",
    "b",
    "[ab]",
    ".",
    "é",
    "[^a]",
    "\\b",
    "(?:ab|a)",
    "(?:a|ab)",
    "^",
    "$",
    "(?m)$",
  );
  const repeated = fc.tuple(atom, fc.constantFrom("", "", "?", "+", "*", "{2,3}", "+?", "??"));
  const pattern = fc
    .array(repeated, { minLength: 1, maxLength: 4 })
    .map((parts) =>
      parts.map(([one, times]) => (/^(?:\\b|\^|\$|\(\?m\)\$)$/.test(one) ? one : one + times)).join(""),
    );
  const text = fc.array(fc.constantFrom("a", "b", "ab", "é", "\n", " ", "€"), { maxLength: 30 });

  it("gives the same however the text is cut, and never breaks a character", () => {
    fc.assert(
      fc.property(pattern, fc.integer({ min: 1, max: 8 }), text, places, (source, maxLength, parts, cuts) => {
        let detectors: CompiledDetectors;
        try {
          const what = { pattern: source, maxLength };
          detectors = compileDetectors([{ name: "own", what, action: "redact", replacement: "#" }]);
        } catch {
          return;
        }
        const bytes = Buffer.from(parts.join(""));
        const whole = through(detectors, [bytes]);
        expect(whole.out.toString()).not.toContain("\ufffd");
        for (const chunks of [cutAt(bytes, cuts), Array.from(bytes, (byte) => Uint8Array.of(byte))]) {
          const { out, findings, mostHeld } = through(detectors, chunks);
          expect(out.toString()).toBe(whole.out.toString());
          expect(findings).toEqual(whole.findings);
          expect(mostHeld).toBeLessThanOrEqual(maxLength + 4);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("is what JavaScript finds, where the two agree on what it means", () => {
    const ascii = fc
      .array(fc.constantFrom("a", "b", "ab", "\n", " "), { maxLength: 30 })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(pattern, ascii, (source, subject) => {
        fc.pre(!/é|\(\?m\)/.test(source) && checkPattern(source, 64) === undefined);
        const regex = new RegExp(source, "g");
        fc.pre(
          !new RegExp(`^(?:${source})$`).test("") &&
            [...subject.matchAll(regex)].every(([found]) => found !== ""),
        );
        const what = { pattern: source, maxLength: 64 };
        const detectors = compileDetectors([{ name: "own", what, action: "redact", replacement: "#" }]);
        const { out } = through(detectors, [Buffer.from(subject)]);
        expect(out.toString()).toBe(subject.replace(regex, "#"));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("an own pattern whose runs meet", () => {
  it.each(["a.*b", "(?:a|ba)[^c]*c", "a[^b]*bb|b.{0,70}d", "\\ba.*?c\\b", "[a-c]{1,80}d"])(
    "%s finds what each run would find alone",
    (pattern) => {
      const letters = fc.array(fc.constantFrom(..."aaaaaabc\nd "), { minLength: 200, maxLength: 600 });
      const maxLength = 100;
      const detectors = compileDetectors([
        { name: "own", what: { pattern, maxLength }, action: "redact", replacement: "#" },
      ]);
      fc.assert(
        fc.property(letters, (parts) => {
          const bytes = Buffer.from(parts.join(""));
          // Byte by byte there is nothing to meet: a run starts where the one before was decided.
          const single = through(
            detectors,
            Array.from(bytes, (byte) => Uint8Array.of(byte)),
          );
          expect(through(detectors, [bytes]).out.toString()).toBe(single.out.toString());
        }),
        { numRuns: 80 },
      );
    },
  );
});

describe("bytes in which nothing is found", () => {
  it("pass unchanged, whatever they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), places, (bytes, cuts) => {
        fc.pre(!/^(?:fffe|feff|1f8b)/.test(Buffer.from(bytes).toString("hex")));
        const { out, findings } = through(everything, cutAt(bytes, cuts));
        fc.pre(Object.keys(findings).length === 0);
        expect(out).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 1000 },
    );
  });
});
