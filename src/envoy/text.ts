import type { ByteString } from "../attributes/index.js";
import { type Cursor, cursorOf, readEnd } from "./wire.js";

/** A place in bytes, with texts that were read before: most of an entry's are the same as in the entry before. */
export interface TextCursor extends Cursor {
  readonly texts: Texts;
}

/** Texts by a hash of their bytes; a text may push another one out. */
export interface Texts {
  readonly known: (string | undefined)[];
  /** Their bytes, each at its place: comparing bytes costs a fifth of comparing them with a string's characters. */
  readonly bytes: Uint8Array;
  /** Hash of what was read last without being remembered: what comes once, an id, pushes nothing out. */
  readonly seen: Int32Array;
}

const places = 4096;
/** Bytes of a text that is remembered. */
const maxLength = 96;
/** Bytes of each end that the hash is made of. */
const sampled = 6;

/** An empty memory of texts: at most 4096 of 96 bytes. */
export function createTexts(): Texts {
  return {
    known: new Array<string | undefined>(places).fill(undefined),
    bytes: new Uint8Array(places * maxLength),
    seen: new Int32Array(places),
  };
}

/** At the first byte. */
export function textCursor(bytes: Uint8Array, texts: Texts): TextCursor {
  const { bytes: buffer } = cursorOf(bytes);
  return { bytes: buffer, at: 0, high: 0, texts };
}

/** A string that occurs again and again; what is no UTF-8 in it becomes U+FFFD. */
export function readText(cursor: TextCursor, outerEnd: number): string {
  const end = readEnd(cursor, outerEnd);
  const { at } = cursor;
  cursor.at = end;
  return remembered(cursor, at, end) ?? cursor.bytes.toString("utf8", at, end);
}

/** The same as the bytes that came. */
export function readBytes(cursor: TextCursor, outerEnd: number): ByteString {
  const end = readEnd(cursor, outerEnd);
  const { at } = cursor;
  cursor.at = end;
  return remembered(cursor, at, end) ?? cursor.bytes.toString("latin1", at, end);
}

/** A text that is hardly ever seen twice, as its bytes. */
export function readFreshBytes(cursor: TextCursor, outerEnd: number): ByteString {
  const end = readEnd(cursor, outerEnd);
  const { at } = cursor;
  cursor.at = end;
  return cursor.bytes.toString("latin1", at, end);
}

/**
 * Undefined where the bytes are not ASCII, too many, or not seen twice. Comparing costs less than making a text
 * (measured).
 */
function remembered({ bytes, texts }: TextCursor, at: number, end: number): string | undefined {
  const length = end - at;
  if (length === 0) return "";
  if (length > maxLength) return undefined;
  const hash = hashOf(bytes, at, end);
  const place = (hash ^ (hash >>> 13)) & (places - 1);
  const from = place * maxLength;
  const known = texts.known[place];
  if (known !== undefined && known.length === length && isSame(texts.bytes, from, bytes, at, length)) {
    return known;
  }
  if (texts.seen[place] !== hash) {
    texts.seen[place] = hash;
    return undefined;
  }
  for (let index = at; index < end; index++) if ((bytes[index] as number) >= 0x80) return undefined;
  const text = bytes.toString("latin1", at, end);
  texts.known[place] = text;
  texts.bytes.set(bytes.subarray(at, end), from);
  return text;
}

/** By the length and the bytes at both ends, which tell most texts apart; the whole text is compared anyway. */
function hashOf(bytes: Uint8Array, at: number, end: number): number {
  let hash = end - at;
  if (hash <= 2 * sampled) {
    for (let index = at; index < end; index++) hash = (Math.imul(hash, 31) + (bytes[index] as number)) | 0;
  } else {
    for (let index = 0; index < sampled; index++) {
      hash = (Math.imul(hash, 31) + (bytes[at + index] as number)) | 0;
      hash = (Math.imul(hash, 31) + (bytes[end - 1 - index] as number)) | 0;
    }
  }
  return hash;
}

function isSame(known: Uint8Array, from: number, bytes: Uint8Array, at: number, length: number): boolean {
  for (let index = 0; index < length; index++) {
    if (known[from + index] !== bytes[at + index]) return false;
  }
  return true;
}
