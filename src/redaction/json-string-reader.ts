import type { Buffer } from "node:buffer";
import type { ByteString } from "../attributes/index.js";
import { encodeCodePoint, escapes, replacementCharacter } from "./json-string.js";
import { endOfPlain } from "./json-token.js";

/** Reads the inside of JSON strings that have escapes or are cut. Chunks hold whole characters. */
export interface StringReader {
  /** Behind an opening quote. Without `collects` the pieces are not told. */
  begin(collects: boolean): void;
  /**
   * Reads from `at` on; gives where the closing quote, the end of the chunk or a byte that may not be there
   * is.
   */
  read(chunk: Buffer, at: number): number;
  /** False in the midst of an escape, where a quote ends nothing. */
  readonly isInText: boolean;
}

const inText = 0;
const behindBackslash = 1;
const inHex = 2;

/** `take` gets each piece, its text and how it was written; half a surrogate pair is U+FFFD. */
export function createStringReader(take: (text: ByteString, raw: ByteString) => void): StringReader {
  let collects = false;
  let state = inText;
  let raw = "";
  let digits = 0;
  let unit = 0;
  /** The first half of a pair, and how it was written. */
  let high = 0;
  let highRaw = "";

  const endHigh = (): void => {
    if (high === 0) return;
    high = 0;
    take(replacementCharacter, highRaw);
  };
  const takeUnit = (): void => {
    if (high > 0 && unit >= 0xdc00 && unit < 0xe000) {
      const code = 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00);
      high = 0;
      take(encodeCodePoint(code), highRaw + raw);
      return;
    }
    endHigh();
    if (unit >= 0xd800 && unit < 0xdc00) {
      high = unit;
      highRaw = raw;
    } else take(unit >= 0xdc00 && unit < 0xe000 ? replacementCharacter : encodeCodePoint(unit), raw);
  };
  /** False when the byte may not be there. */
  const readEscape = (byte: number): boolean => {
    if (byte === 0x75) {
      state = inHex;
      raw = "\\u";
      digits = 0;
      unit = 0;
      return true;
    }
    const char = escapes.get(byte);
    if (char === undefined) return false;
    state = inText;
    if (collects) {
      endHigh();
      take(char, `\\${String.fromCharCode(byte)}`);
    }
    return true;
  };
  const readHex = (byte: number): boolean => {
    const digit = hexDigit(byte);
    if (digit < 0) return false;
    unit = unit * 16 + digit;
    if (collects) raw += String.fromCharCode(byte);
    if (++digits < 4) return true;
    state = inText;
    if (collects) takeUnit();
    return true;
  };

  return {
    begin(collecting) {
      collects = collecting;
      state = inText;
      high = 0;
    },
    read(chunk, from) {
      let at = from;
      while (at < chunk.length) {
        if (state === inText) {
          const end = endOfPlain(chunk, at);
          if (collects && end > at) {
            endHigh();
            const text = chunk.toString("latin1", at, end);
            take(text, text);
          }
          at = end;
          if (chunk[at] !== 0x5c) break;
          state = behindBackslash;
        } else if (!(state === inHex ? readHex : readEscape)(chunk[at] as number)) return at;
        at++;
      }
      if (chunk[at] === 0x22 && state === inText) endHigh();
      return at;
    },
    get isInText() {
      return state === inText;
    },
  };
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
