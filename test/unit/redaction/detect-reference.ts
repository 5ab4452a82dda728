import { Buffer } from "node:buffer";
import { cardSchemes } from "../../../src/redaction/card.js";
import { ibanLengths } from "../../../src/redaction/iban.js";

/** What a detector finds from a place on, written plainly and for whole texts: the length, or 0. */
export type Reference = (text: string, at: number) => number;

const alphanumeric = /[0-9A-Za-z]/;
const borders = (text: string, from: number, to: number): boolean =>
  !alphanumeric.test(text.charAt(from - 1)) && !alphanumeric.test(text.charAt(to));

/** The longest of the lengths at which a check of the piece holds. */
function longestThat(most: number, holds: (piece: string, to: number) => boolean): Reference {
  return (text, at) => {
    for (let length = Math.min(most, text.length - at); length > 0; length--)
      if (holds(text.slice(at, at + length), at + length)) return length;
    return 0;
  };
}

const card: Reference = (text, at) =>
  /[.+]/.test(text.charAt(at - 1))
    ? 0
    : longestThat(30, (piece, to) => {
        if (!/^\d/.test(piece) || !/\d$/.test(piece) || !borders(text, at, to)) return false;
        if (!/^(?:\d{13,19}|\d{4}(?: \d{3,6})+|\d{4}(?:-\d{3,6})+)$/.test(piece)) return false;
        const digits = piece.replace(/\D/g, "");
        const prefix = Number(digits.slice(0, 4));
        const known = cardSchemes.some(
          ({ prefixes, lengths }) =>
            lengths.includes(digits.length) &&
            prefixes.some(([from, last]) => prefix >= from && prefix <= last),
        );
        const sum = [...digits]
          .reverse()
          .map((digit, n) => (n % 2 === 0 ? digit : String(2 * Number(digit))))
          .join("");
        return known && [...sum].reduce((all, digit) => all + Number(digit), 0) % 10 === 0;
      })(text, at);

const iban: Reference = (text, at) =>
  longestThat(42, (piece, to) => {
    if (!/^[A-Z]{2}\d\d/.test(piece) || !borders(text, at, to)) return false;
    const together = piece.replaceAll(" ", "");
    if (!/^[A-Z0-9]+$/.test(together) || ibanLengths.get(together.slice(0, 2)) !== together.length)
      return false;
    if (piece !== together && piece !== (together.match(/.{1,4}/g) ?? []).join(" ")) return false;
    const moved = together.slice(4) + together.slice(0, 4);
    return BigInt(moved.replace(/[A-Z]/g, (letter) => String(Number.parseInt(letter, 36)))) % 97n === 1n;
  })(text, at);

const email: Reference = (text, at) => {
  const local = /^[0-9A-Za-z._%+-]{1,64}@/.exec(text.slice(at))?.[0].length;
  if (local === undefined) return 0;
  const start = at + local;
  const domain = longestThat(255, (piece, to) => {
    if (alphanumeric.test(text.charAt(to))) return false;
    const labels = piece.split(".");
    const last = labels.pop() ?? "";
    if (!/^(?:[A-Za-z]{2,63}|[Xx][Nn]--[0-9A-Za-z-]{0,58}[0-9A-Za-z])$/.test(last)) return false;
    return (
      labels.length > 0 &&
      labels.every((label) => /^[0-9A-Za-z\x80-\xff][0-9A-Za-z\x80-\xff-]{0,62}$/.test(label))
    );
  })(text, start);
  return domain === 0 ? 0 : local + domain;
};

const tokens: readonly RegExp[] = [
  /^A[KS]IA[A-Z2-7]{16}(?![0-9A-Za-z])/,
  /^gh[pousr]_[0-9A-Za-z]{36,251}/,
  /^github_pat_\w{22,244}/,
  /^glpat-[\w-]{20,249}/,
  /^(?:xox[abeoprs]|xapp)-[0-9A-Za-z-]{10,250}/,
  /^AIza[\w-]{35}(?![\w-])/,
  /^[rs]k_(?:live|test)_[0-9A-Za-z]{16,247}/,
  /^sk-(?=[A-Za-z_-]{0,251}[0-9])[\w-]{20,252}/,
  /^npm_[0-9A-Za-z]{36}(?![0-9A-Za-z])/,
  /^hf_[0-9A-Za-z]{34,40}(?![0-9A-Za-z])/,
  /^bearer (?=[A-Za-z._~+/=-]*[0-9])[0-9A-Za-z._~+/=-]{20,}/i,
];

function jwtLength(text: string, at: number): number {
  const found = /^(eyJ[\w-]*)\.[\w-]*\.[\w-]*(?:\.[\w-]+){0,2}/.exec(text.slice(at));
  if (found === null || /[\w-]/.test(text.charAt(at - 1))) return 0;
  const header = Buffer.from(found[1] ?? "", "base64url").toString("latin1");
  return /^\{".*"alg"\s*:.*\}$|^\{"alg"\s*:.*\}$/s.test(header) ? found[0].length : 0;
}

const token: Reference = (text, at) => {
  if (alphanumeric.test(text.charAt(at - 1))) return 0;
  const rest = text.slice(at);
  // `sk-` within words.
  if (rest.startsWith("sk-") && /[_-]/.test(text.charAt(at - 1))) return 0;
  return Math.max(jwtLength(text, at), ...tokens.map((form) => form.exec(rest)?.[0].length ?? 0));
};

const key: Reference = (text, at) => {
  const rest = text.slice(at, at + 16_384);
  const name = "(?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----";
  if (!new RegExp(`^-----BEGIN ${name}`).test(rest)) return 0;
  return new RegExp(`^[^]*?-----END ${name}`).exec(rest)?.[0].length ?? rest.length;
};

const own: Reference = longestThat(24, (piece) => /^ACME-[0-9]{4,8}(?:-[a-z]+)?$/.test(piece));
const ownBordered: Reference = (text, at) => {
  if (/\w/.test(text.charAt(at - 1))) return 0;
  for (let length = own(text, at); length > 0; length = own(text.slice(0, at + length - 1), at))
    if (!/\w/.test(text.charAt(at + length))) return length;
  return 0;
};

/** By the names of the rules in detect-samples, in their order. */
export const references: Readonly<Record<string, Reference>> = {
  card,
  iban,
  email,
  token,
  key,
  own: ownBordered,
};

/** A whole text under some of the references: leftmost, longest, first. */
export function redactPlainly(
  text: string,
  names: readonly string[],
): { out: string; findings: Record<string, number> } {
  let out = "";
  const findings: Record<string, number> = {};
  for (let at = 0; at < text.length; ) {
    let best = { name: "", length: 0 };
    for (const name of names) {
      const length = references[name]?.(text, at) ?? 0;
      if (length > best.length) best = { name, length };
    }
    if (best.length === 0) out += text.charAt(at++);
    else {
      findings[best.name] = (findings[best.name] ?? 0) + 1;
      out += best.name === "own" ? Buffer.from("[ünser]").toString("latin1") : `[${best.name}]`;
      at += best.length;
    }
  }
  return { out, findings };
}
