import { Buffer } from "node:buffer";

const whitespace = /[\t\n\v\f\r ]/g;
const alphabet = /^[A-Za-z0-9_-]*$/;

/**
 * The bytes of a base64url text as Envoy reads it (`absl::WebSafeBase64Unescape`): white space is skipped, padding
 * may be there in full or not at all, unused bits are not looked at. Undefined for anything else.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  const compact = text.replace(whitespace, "");
  // Counted, not matched: `/=+$/` takes quadratic time for many `=` in the midst.
  const padding = compact.endsWith("==") ? 2 : compact.endsWith("=") ? 1 : 0;
  const body = padding === 0 ? compact : compact.slice(0, -padding);
  const missing = (4 - (body.length % 4)) % 4;
  if (missing === 3 || (padding !== 0 && padding !== missing) || !alphabet.test(body)) return undefined;
  return Buffer.from(body, "base64url");
}
