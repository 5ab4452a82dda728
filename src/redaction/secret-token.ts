import { Buffer } from "node:buffer";
import type { ByteString } from "../attributes/index.js";
import {
  byteBefore,
  type Detector,
  isAlphanumeric,
  isDigit,
  type MatchAt,
  seeking,
  undecided,
} from "./detector.js";

/** Tokens that are known by their first characters. */
export interface TokenForm {
  readonly issuer: string;
  readonly prefix: string;
  /** What follows: a class of a regular expression without its brackets. */
  readonly characters: string;
  readonly least: number;
  /** A longer run is no token if `exact`; else it is cut, so that no more than this is held. */
  readonly most: number;
  readonly exact?: true;
  /**
   * A digit has to be among them, and none of them before: the prefix could be of words. So one run without
   * a digit is read once.
   */
  readonly digit?: true;
}

const word = "0-9A-Za-z";
const url = "0-9A-Za-z_-";

/** Sources: the issuers' documentation of their formats. */
export const tokenForms: readonly TokenForm[] = [
  ...["AKIA", "ASIA"].map(
    (prefix): TokenForm => ({
      issuer: "AWS",
      prefix,
      characters: "A-Z2-7",
      least: 16,
      most: 16,
      exact: true,
    }),
  ),
  ...["ghp_", "gho_", "ghu_", "ghs_", "ghr_"].map(
    (prefix): TokenForm => ({ issuer: "GitHub", prefix, characters: word, least: 36, most: 251 }),
  ),
  { issuer: "GitHub", prefix: "github_pat_", characters: `${word}_`, least: 22, most: 244 },
  { issuer: "GitLab", prefix: "glpat-", characters: url, least: 20, most: 249 },
  ...["xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"].map(
    (prefix): TokenForm => ({ issuer: "Slack", prefix, characters: `${word}-`, least: 10, most: 250 }),
  ),
  { issuer: "Google", prefix: "AIza", characters: url, least: 35, most: 35, exact: true },
  ...["sk_live_", "sk_test_", "rk_live_", "rk_test_"].map(
    (prefix): TokenForm => ({ issuer: "Stripe", prefix, characters: word, least: 16, most: 247 }),
  ),
  { issuer: "OpenAI, Anthropic", prefix: "sk-", characters: url, least: 20, most: 252, digit: true },
  { issuer: "npm", prefix: "npm_", characters: word, least: 36, most: 36, exact: true },
  { issuer: "Hugging Face", prefix: "hf_", characters: word, least: 34, most: 40, exact: true },
];

/** One byte's classes: bit n for the characters of form n. */
const classes = new Uint32Array(256);
for (const [n, form] of tokenForms.entries()) {
  const one = new RegExp(`[${form.characters}]`);
  for (let byte = 0; byte < 256; byte++)
    if (one.test(String.fromCharCode(byte))) classes[byte] = (classes[byte] ?? 0) | (1 << n);
}

function formAt(form: TokenForm, n: number): MatchAt {
  const { prefix, least, most } = form;
  const bit = 1 << n;
  return (text, at, final) => {
    if (!text.startsWith(prefix, at))
      return !final && prefix.startsWith(text.slice(at, at + prefix.length)) ? undecided : 0;
    const before = byteBefore(text, at);
    if (form.digit && before >= 0 && ((classes[before] ?? 0) & bit) !== 0) return 0;
    const start = at + prefix.length;
    let digit = form.digit === undefined;
    for (let i = start; ; i++) {
      if (i >= text.length && !final) return undecided;
      const byte = i < text.length ? text.charCodeAt(i) : -1;
      const length = i - start;
      const more = byte >= 0 && ((classes[byte] ?? 0) & bit) !== 0;
      if (more && length < most) {
        digit ||= isDigit(byte);
        continue;
      }
      if (form.exact && (more || isAlphanumeric(byte))) return 0;
      return length >= least && digit ? i - at : 0;
    }
  };
}

/** A JWT, cut if it is longer; a header is not read beyond a quarter of it. */
const jwtMost = 8192;
const jwtHeaderMost = jwtMost / 4;

const base64url = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) if (/[\w-]/.test(String.fromCharCode(byte))) base64url[byte] = 1;

/** A JWS or JWE of RFC 7515 and 7516 in compact form: three or five parts, the first JSON with `alg`. */
function jwtAt(text: ByteString, at: number, final: boolean): number {
  const before = byteBefore(text, at);
  if (before >= 0 && base64url[before] === 1) return 0;
  let dots = 0;
  for (let i = at; ; i++) {
    if (i - at === jwtMost) return dots === 0 ? 0 : jwtMost;
    if (i >= text.length && !final) return undecided;
    const byte = i < text.length ? text.charCodeAt(i) : -1;
    if (i - at < 3) {
      if (byte !== "eyJ".charCodeAt(i - at)) return 0;
    } else if (byte === 46) {
      if (dots === 0 && !isHeader(text.slice(at, i))) return 0;
      // A fourth and a fifth part are not empty.
      if (dots > 2 && text.charCodeAt(i - 1) === 46) return i - at - 1;
      if (dots === 4) return i - at;
      dots++;
    } else if (byte < 0 || base64url[byte] !== 1) {
      if (dots < 2) return 0;
      // A full stop behind the last part is the sentence's.
      return text.charCodeAt(i - 1) === 46 && dots !== 2 ? i - at - 1 : i - at;
    } else if (dots === 0 && i - at === jwtHeaderMost) return 0;
  }
}

/**
 * Whether a part is JSON with `alg`, as far as its ends tell: an error of a parser for each would be slow.
 */
function isHeader(part: ByteString): boolean {
  if (part.length < '{"alg":""}'.length) return false;
  const header = Buffer.from(part, "base64url").toString("latin1");
  return header.endsWith("}") && /"alg"\s*:/.test(header);
}

const bearer = "bearer ";
const bearerLeast = 20;
const bearerMost = 8192;
/** `b64token` of RFC 6750, section 2.1. */
const b64token = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++)
  if (/[0-9A-Za-z._~+/=-]/.test(String.fromCharCode(byte))) b64token[byte] = 1;

/** `Bearer` and a token: with a digit and of 20 characters at least, since it is also a word. */
function bearerAt(text: ByteString, at: number, final: boolean): number {
  const word = text.slice(at, at + bearer.length).toLowerCase();
  if (word !== bearer) return !final && bearer.startsWith(word) ? undecided : 0;
  const start = at + bearer.length;
  let digit = false;
  for (let i = start; ; i++) {
    if (i >= text.length && !final) return undecided;
    const byte = i < text.length ? text.charCodeAt(i) : -1;
    if (byte >= 0 && b64token[byte] === 1 && i - start < bearerMost) {
      digit ||= isDigit(byte);
      continue;
    }
    return digit && i - start >= bearerLeast ? i - at : 0;
  }
}

const forms: readonly MatchAt[] = [...tokenForms.map(formAt), jwtAt, bearerAt];

/** By the first character: what may begin with it. */
const formsOf: readonly (readonly MatchAt[])[] = Array.from({ length: 128 }, (_, byte) => {
  const first = String.fromCharCode(byte);
  return forms.filter((_, n) => {
    const prefix = tokenForms[n]?.prefix ?? (forms[n] === jwtAt ? "eyJ" : bearer);
    return prefix.startsWith(first) || (forms[n] === bearerAt && first === "B");
  });
});

function secretAt(text: ByteString, at: number, final: boolean): number {
  if (isAlphanumeric(byteBefore(text, at))) return 0;
  let longest = 0;
  for (const form of formsOf[text.charCodeAt(at)] ?? []) {
    const length = form(text, at, final);
    if (length === undecided) return undecided;
    longest = Math.max(longest, length);
  }
  return longest;
}

const firstThree = [
  ...new Set([...tokenForms.map(({ prefix }) => prefix.slice(0, 3)), "eyJ", "[Bb][Ee][Aa]"]),
];

/** Credentials that are known by their form: `tokenForms`, JWTs, and what follows `Bearer`. */
export const secretToken: Detector = seeking(
  bearer.length + bearerMost + 1,
  `(?<![0-9A-Za-z])(?:${firstThree.join("|")})`,
  3,
  secretAt,
);
