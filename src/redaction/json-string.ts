import { Buffer } from "node:buffer";
import type { ByteString } from "../attributes/index.js";

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what is meant
const special = /["\\\x00-\x1f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what is meant
const hasSpecial = /["\\\x00-\x1f]/;

const short = new Map([
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

/** The inside of a JSON string with this text, both in UTF-8, one character a byte. */
export function encodeString(text: ByteString): ByteString {
  return hasSpecial.test(text) ? text.replace(special, escaped) : text;
}

function escaped(char: string): string {
  return short.get(char) ?? `\\u00${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** The same text in memory of its own: a slice keeps in memory all that it was cut from. */
export function ownText(text: ByteString): ByteString {
  return Buffer.from(text, "latin1").toString("latin1");
}

/** The character of a one-letter escape, by the letter's code. */
export const escapes: ReadonlyMap<number, string> = new Map([
  [0x22, '"'],
  [0x5c, "\\"],
  [0x2f, "/"],
  [0x62, "\b"],
  [0x66, "\f"],
  [0x6e, "\n"],
  [0x72, "\r"],
  [0x74, "\t"],
]);

/** U+FFFD: stands for half a surrogate pair, which has no UTF-8. */
export const replacementCharacter: ByteString = "\xef\xbf\xbd";

/** UTF-8 of a code point. */
export function encodeCodePoint(code: number): ByteString {
  if (code < 0x80) return String.fromCharCode(code);
  const last = 0x80 | (code & 0x3f);
  if (code < 0x800) return String.fromCharCode(0xc0 | (code >> 6), last);
  const third = 0x80 | ((code >> 6) & 0x3f);
  if (code < 0x10000) return String.fromCharCode(0xe0 | (code >> 12), third, last);
  return String.fromCharCode(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), third, last);
}

/**
 * Follows a text and what became of it, and gives the inside of the JSON string that holds the latter: as it
 * was written up to the first difference, written anew behind it.
 */
export interface Aligner {
  /** A piece of the string: its text, and how it was written. Pieces of one character are not cut. */
  source(decoded: ByteString, raw: ByteString): void;
  /** A piece of what became of it; gives what can be written. */
  target(text: ByteString): ByteString;
  end(): ByteString;
}

/** Of longer texts a part is kept as a copy. */
const maxKept = 4_096;

/** Holds what was told of the one and not yet of the other. */
export function createAligner(): Aligner {
  let pieces: { decoded: ByteString; readonly raw: ByteString; readonly isPlain: boolean }[] = [];
  let waiting = "";
  let differs = false;

  /** Takes what is the same from the front of both; gives it as it was written. */
  const matchFront = (): ByteString => {
    let out = "";
    let used = 0;
    for (const piece of pieces) {
      if (waiting === "" || differs) break;
      const { decoded } = piece;
      if (piece.isPlain) {
        const same = sameLength(decoded, waiting);
        out += decoded.slice(0, same);
        waiting = waiting.slice(same);
        if (same < decoded.length) {
          const rest = decoded.slice(same);
          piece.decoded = decoded.length > maxKept ? ownText(rest) : rest;
          differs = waiting !== "";
          break;
        }
      } else if (waiting.startsWith(decoded)) {
        out += piece.raw;
        waiting = waiting.slice(decoded.length);
      } else {
        differs = !decoded.startsWith(waiting);
        break;
      }
      used++;
    }
    if (used > 0) pieces = pieces.slice(used);
    return out;
  };
  const rewrite = (): ByteString => {
    const out = encodeString(waiting);
    waiting = "";
    pieces = [];
    return out;
  };

  return {
    source(decoded, raw) {
      if (differs) return;
      const isPlain = decoded === raw;
      pieces.push({ decoded, raw: isPlain ? "" : raw, isPlain });
    },
    target(text) {
      waiting += text;
      const same = differs ? "" : matchFront();
      return differs ? same + rewrite() : same;
    },
    end: rewrite,
  };
}

function sameLength(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let at = 0;
  while (at < most && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  return at;
}
