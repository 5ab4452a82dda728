import { Buffer } from "node:buffer";
import { ahead, END, isBreak, markOf, readBreak, skip, startCursor, type Unreadable } from "./cursor.js";

/** How many bytes yaml.v2 decodes at a time: whatever follows in them must be readable too. */
const CHUNK = 512;

/**
 * What YAML 1.1 does not print: C0 without tab and breaks, C1 without NEL, and two that are no characters.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const unprintable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff]/u;

type Encoding = "utf-8" | "utf-16le" | "utf-16be";

/** A file's text, and from where on it cannot be read. */
export interface DecodedText {
  readonly text: string;
  readonly unreadable: Unreadable | undefined;
}

/** Reads UTF-8, or UTF-16 behind a byte order mark. Never throws. */
export function decodeText(bytes: Uint8Array): DecodedText {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return decodeUtf16(bytes, "utf-16le");
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return decodeUtf16(bytes, "utf-16be");
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  const whole = decodeStrictly(bytes.subarray(start), "utf-8");
  if (whole !== undefined && !unprintable.test(whole)) return { text: whole, unreadable: undefined };
  return decodeByChunks(bytes, start);
}

function decodeUtf16(bytes: Uint8Array, encoding: Encoding): DecodedText {
  const text = decodeStrictly(bytes.subarray(2), encoding);
  if (text === undefined || unprintable.test(text)) return refuse("", bytes.subarray(2), encoding);
  return { text, unreadable: undefined };
}

/** The text up to the first chunk that holds what cannot be read. */
function decodeByChunks(bytes: Uint8Array, bom: number): DecodedText {
  const parts: string[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = wholeCharacters(bytes, start, Math.min(start + CHUNK, bytes.length));
    const part = decodeStrictly(bytes.subarray(start === 0 ? bom : start, end), "utf-8");
    if (part === undefined || unprintable.test(part)) {
      return refuse(parts.join(""), bytes.subarray(start === 0 ? bom : start, end), "utf-8");
    }
    parts.push(part);
    start = end;
  }
  return { text: parts.join(""), unreadable: undefined };
}

/**
 * Where the last whole character ends. A half one at the end of the file is not looked at either until
 * something behind the text before it is asked for.
 */
function wholeCharacters(bytes: Uint8Array, start: number, end: number): number {
  for (let at = Math.max(start + 1, end - 3); at < end; at++) {
    const byte = bytes[at] ?? 0;
    const width = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    if (byte >= 0xc0 && byte < 0xf8 && at + width > end) return at;
  }
  return end;
}

/** Reading ends behind `text`; the reason and its place are in the bytes that follow it. */
function refuse(text: string, bytes: Uint8Array, encoding: Encoding): DecodedText {
  const rest = decode(bytes, encoding, false);
  const control = rest.search(unprintable);
  const broken = rest.indexOf("\ufffd");
  const isControl = broken === -1 || (control !== -1 && control < broken);
  const place = startCursor(text + rest.slice(0, isControl ? control : broken));
  while (ahead(place) !== END) {
    if (isBreak(ahead(place))) readBreak(place);
    else skip(place);
  }
  const reason = isControl ? "control character" : `invalid ${encoding === "utf-8" ? "UTF-8" : "UTF-16"}`;
  return { text, unreadable: { offset: text.length, reason, place: markOf(place) } };
}

function decodeStrictly(bytes: Uint8Array, encoding: Encoding): string | undefined {
  try {
    return decode(bytes, encoding, true);
  } catch {
    return undefined;
  }
}

function decode(bytes: Uint8Array, encoding: Encoding, fatal: boolean): string {
  if (encoding !== "utf-16be") return new TextDecoder(encoding, { fatal, ignoreBOM: true }).decode(bytes);
  const swapped = Buffer.alloc(bytes.length);
  for (let at = 0; at < bytes.length; at++) swapped[at] = bytes[at ^ 1] ?? bytes[at] ?? 0;
  return decode(swapped, "utf-16le", fatal);
}
