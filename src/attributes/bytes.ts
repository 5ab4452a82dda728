import { Buffer } from "node:buffer";
import type { ByteString } from "./attributes.js";

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what is meant
const ascii = /^[\x00-\x7f]*$/;
const upper = /[A-Z]/;

/** The bytes of a text's UTF-8 form, one character a byte. ASCII is returned as it is. */
export function toBytes(text: string): ByteString {
  return ascii.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}

/**
 * The text that the bytes are in UTF-8; what is no UTF-8 becomes U+FFFD. For display and for languages of
 * texts.
 */
export function toText(bytes: ByteString): string {
  return ascii.test(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

/** Lower-cases A to Z and nothing else, as Envoy does with bytes. */
export function lowerAscii(bytes: ByteString): ByteString {
  if (!upper.test(bytes)) return bytes;
  return ascii.test(bytes) ? bytes.toLowerCase() : bytes.replace(/[A-Z]+/g, (part) => part.toLowerCase());
}

const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** Whether a text has a form in UTF-8: JSON can name half a character by an escape. */
export function isWellFormed(text: string): boolean {
  return ascii.test(text) || !loneSurrogate.test(text);
}

/** The text with U+FFFD for each half of a character: what has no UTF-8 would make Envoy drop the whole message. */
export function wellFormed(text: string): string {
  return isWellFormed(text) ? text : Buffer.from(text, "utf8").toString("utf8");
}
