import type { ByteString } from "../attributes/index.js";
import { byteBefore, type Detector, isAlphanumeric, isDigit, seeking, undecided } from "./detector.js";

/** Numbers of one scheme: ranges of their first four digits, and how many digits they have. */
interface Scheme {
  readonly name: string;
  readonly prefixes: readonly (readonly [first: number, last: number])[];
  readonly lengths: readonly number[];
}

const fromTo = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Issuer ranges as the schemes publish them (ISO/IEC 7812). Where they overlap any of them will do. */
export const cardSchemes: readonly Scheme[] = [
  { name: "Visa", prefixes: [[4000, 4999]], lengths: [13, 16, 19] },
  {
    name: "Mastercard",
    prefixes: [
      [5100, 5599],
      [2221, 2720],
    ],
    lengths: [16],
  },
  {
    name: "American Express",
    prefixes: [
      [3400, 3499],
      [3700, 3799],
    ],
    lengths: [15],
  },
  {
    name: "Discover",
    prefixes: [
      [6011, 6011],
      [6440, 6599],
    ],
    lengths: fromTo(16, 19),
  },
  {
    name: "Diners Club",
    prefixes: [
      [3000, 3059],
      [3095, 3095],
      [3600, 3699],
      [3800, 3999],
    ],
    lengths: fromTo(14, 19),
  },
  { name: "JCB", prefixes: [[3528, 3589]], lengths: fromTo(16, 19) },
  {
    name: "UnionPay",
    prefixes: [
      [6200, 6299],
      [8100, 8171],
    ],
    lengths: fromTo(16, 19),
  },
  {
    name: "Maestro",
    prefixes: [
      [5000, 5099],
      [5600, 5899],
      [6300, 6399],
      [6700, 6799],
    ],
    lengths: fromTo(13, 19),
  },
  { name: "Mir", prefixes: [[2200, 2204]], lengths: fromTo(16, 19) },
];

/** By the first four digits: bit n is set where a number of n digits may be a card's. */
const lengthsOf = new Uint32Array(10_000);
for (const { prefixes, lengths } of cardSchemes)
  for (const [first, last] of prefixes)
    for (let prefix = first; prefix <= last; prefix++)
      for (const length of lengths) lengthsOf[prefix] = (lengthsOf[prefix] ?? 0) | (1 << length);

const mostDigits = 19;
const groupLeast = 3;
const groupMost = 6;

/**
 * Digits without a separator, or groups of three to six of them after a first of four, with one separator
 * between.
 */
const longest = mostDigits + Math.ceil((mostDigits - 4) / groupLeast);

/** Reused from call to call: a match is decided in one. */
const digits = new Uint8Array(mostDigits);

function cardAt(text: ByteString, at: number, final: boolean): number {
  // `0.4111…` is a fraction, `+4915…` a telephone number.
  const before = byteBefore(text, at);
  if (isAlphanumeric(before) || before === 46 || before === 43) return 0;
  let count = 0;
  let group = 0;
  let separator = 0;
  let prefix = 0;
  let lengths = 0;
  let best = 0;
  for (let i = at; ; i++) {
    if (i >= text.length && !final) return undecided;
    const byte = i < text.length ? text.charCodeAt(i) : -1;
    if (isDigit(byte)) {
      if (count === mostDigits || (separator !== 0 && group === groupMost)) return best;
      digits[count++] = byte - 48;
      if (count <= 4) prefix = 10 * prefix + byte - 48;
      group++;
      if (count !== 4) continue;
      lengths = lengthsOf[prefix] ?? 0;
      if (lengths === 0) return 0;
      continue;
    }
    if (isAlphanumeric(byte) || count < 4 || group < groupLeast) return best;
    if ((lengths & (1 << count)) !== 0 && passesLuhn(count)) best = i - at;
    if (count === mostDigits || (byte !== 32 && byte !== 45)) return best;
    if (separator === 0 ? count !== 4 : byte !== separator) return best;
    separator = byte;
    group = 0;
  }
}

/** ISO/IEC 7812-1 annex B, of the first `count` of `digits`. */
function passesLuhn(count: number): boolean {
  let sum = 0;
  for (let i = count - 1, twice = false; i >= 0; i--, twice = !twice) {
    const digit = digits[i] ?? 0;
    sum += twice ? (digit > 4 ? 2 * digit - 9 : 2 * digit) : digit;
  }
  return sum % 10 === 0;
}

/** Payment card numbers: a scheme's prefix and length, and the check digit. */
export const paymentCard: Detector = seeking(
  longest + 1,
  // Dates begin like that too, but they have no group of three behind the first.
  "(?<![0-9A-Za-z.+])[234568][0-9]{3}[0-9 -][0-9]{3}",
  8,
  cardAt,
);
