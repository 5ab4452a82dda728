import { Buffer } from "node:buffer";
import { type ByteString, toText } from "../attributes/index.js";

const MAX_TEXT = 1024;

/** `text`, cut to what a record may hold. */
export function brief(text: ByteString | undefined): string | null {
  if (text === undefined) return null;
  return text.length <= MAX_TEXT ? toText(text) : briefCopy(text);
}

/**
 * The same, copied: a slice keeps alive what it was cut from. Of a path that is the query with its tokens, and a
 * thousand records of a hostile client must not hold a thousand megabytes.
 */
export function briefCopy(text: ByteString): string {
  return toText(Buffer.from(text.slice(0, MAX_TEXT), "latin1").toString("latin1"));
}

/** `text`, which is no longer bytes, cut and copied; null when empty. */
export function briefText(text: string, maxLength: number = MAX_TEXT): string | null {
  if (text === "") return null;
  if (text.length <= maxLength) return text;
  return Buffer.from(text.slice(0, maxLength), "utf16le").toString("utf16le");
}
