import { Buffer, isAscii, isUtf8 } from "node:buffer";
import { checkJson } from "./json-check.js";
import { normalise } from "./json-text.js";
import { bufferOf, textOf } from "./text.js";

/** Levels beyond which whoever reads the JSON would run out of stack. */
export const defaultMaxDepth = 1_000;

/**
 * One JSON value as Go's strict decoder takes it (RFC 8259; no byte order mark, nothing behind the value): valid JSON
 * in which numbers have their own text, no object has a key twice (the last won), and U+FFFD stands for lone surrogates
 * and for each byte that is not UTF-8. Throws `bad_json` or `too_deep`. Linear in the length.
 */
export function decodeJson(body: Uint8Array, maxDepth: number = defaultMaxDepth): string {
  const given = bufferOf(body);
  const bytes = isUtf8(given) ? given : Buffer.from(textOf(given));
  const latin1 = bytes.toString("latin1");
  const clean = checkJson(bytes, latin1, maxDepth);
  const text = isAscii(bytes) ? latin1 : bytes.toString();
  return clean ? text : normalise(text);
}
