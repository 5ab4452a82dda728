import { bytesOf } from "./bytes.js";

/*
 * As strict as Go's encoding/base64: one alphabet, exact padding, line breaks ignored; bits left over in the last
 * character are not looked at.
 */

/** The bytes of padded base64 with `+` and `/`; undefined when it is none. */
export function fromBase64(text: string): Buffer | undefined {
  const packed = text.replace(/[\r\n]+/g, "");
  if (packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(packed)) return undefined;
  return Buffer.from(packed, "base64");
}

/** The bytes of padded base64 with `-` and `_`; undefined when it is none. */
export function fromBase64Url(text: string): Buffer | undefined {
  return /[+/]/.test(text) ? undefined : fromBase64(text.replace(/-/g, "+").replace(/_/g, "/"));
}

/**
 * The bytes of base64url with or without padding (RFC 7515 appendix C), as OPA reads it: line breaks count when the
 * padding is added. Undefined when it is none.
 */
export function fromBase64UrlLax(text: string): Buffer | undefined {
  if (text.endsWith("=")) return fromBase64Url(text);
  const left = bytesOf(text).length % 4;
  return left === 1 ? undefined : fromBase64Url(text + ["", "", "==", "="][left]);
}

/** The bytes of base64 in whichever alphabet and padding it seems to be (the reader of JWK's members). */
export function fromAnyBase64(text: string): Buffer | undefined {
  const url = !/[+/]/.test(text);
  if (text.endsWith("=")) return url ? fromBase64Url(text) : fromBase64(text);
  if (/[\r\n]/.test(text)) return fromAnyBase64(text.replace(/[\r\n]+/g, ""));
  const padded = text + "=".repeat((4 - (text.length % 4)) % 4);
  if (text.length % 4 === 1) return undefined;
  return url ? fromBase64Url(padded) : fromBase64(padded);
}
