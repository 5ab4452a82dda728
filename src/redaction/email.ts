import type { ByteString } from "../attributes/index.js";
import { type Detector, isAlphanumeric, isDigit, undecided } from "./detector.js";

/** RFC 5321, section 4.5.3.1. */
const localMost = 64;
const domainMost = 255;
/** RFC 1035, section 2.3.4. */
const labelMost = 63;

const dot = 46;
const hyphen = 45;

/**
 * Letters, digits and `.` `_` `%` `+` `-`: what else RFC 5322 allows in an atom stands far more often beside
 * an address.
 */
function isLocal(byte: number): boolean {
  return isAlphanumeric(byte) || byte === dot || byte === hyphen || byte === 95 || byte === 43 || byte === 37;
}

function isLetter(byte: number): boolean {
  return isAlphanumeric(byte) && !isDigit(byte);
}

/**
 * Where the longest domain ends that begins at `start`: labels of letters, digits, hyphens and of what is
 * beyond ASCII, the last of letters (two at least) or `xn--`. 0: none.
 */
function domainEnd(text: ByteString, start: number, final: boolean): number {
  let best = 0;
  let label = start;
  let letters = true;
  for (let i = start; ; i++) {
    if (i >= text.length && !final) return undecided;
    const byte = i < text.length ? text.charCodeAt(i) : -1;
    const length = i - label;
    const alphanumeric = isAlphanumeric(byte);
    if (label > start && length >= 2 && !alphanumeric && (letters || isPunycode(text, label, i))) best = i;
    if (i - start === domainMost) return best;
    if (byte === dot) {
      if (length === 0) return best;
      label = i + 1;
      letters = true;
      continue;
    }
    if (!alphanumeric && byte < 128 && (byte !== hyphen || length === 0)) return best;
    if (length === labelMost) return best;
    letters &&= isLetter(byte);
  }
}

function isPunycode(text: ByteString, from: number, to: number): boolean {
  return (
    to - from > 4 &&
    text.charCodeAt(to - 1) !== hyphen &&
    /^xn--/i.test(text.slice(from, from + 4)) &&
    /^[0-9A-Za-z-]*$/.test(text.slice(from, to))
  );
}

/** E-mail addresses, as far as they stand in texts: neither quoted local parts nor address literals. */
export const email: Detector = {
  reach: localMost + 1 + domainMost + 1,
  hint: "@",
  find: (text, from, final, found) => {
    found.length = 0;
    for (let sign = text.indexOf("@", from); sign >= 0; sign = text.indexOf("@", sign + 1)) {
      const start = localStart(text, Math.max(from, sign - localMost), sign);
      if (start === sign) continue;
      const end = domainEnd(text, sign + 1, final);
      if (end === 0) continue;
      found.start = start;
      if (end !== undecided) found.length = end - start;
      return;
    }
    found.start = final
      ? text.length
      : localStart(text, Math.max(from, text.length - localMost), text.length);
  },
};

/** The first of the bytes of a local part that end at `end`, `least` or later. */
function localStart(text: ByteString, least: number, end: number): number {
  let start = end;
  while (start > least && isLocal(text.charCodeAt(start - 1))) start--;
  return start;
}
