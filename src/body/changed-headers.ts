import type { HeaderLines } from "./header-lines.js";

/**
 * What says of a body's bytes what is not true once they changed: digests, and signatures that may cover
 * them.
 */
export const integrityFields: readonly string[] = [
  "content-md5",
  "digest",
  "content-digest",
  "repr-digest",
  "signature",
  "signature-input",
];

/** The same, and what else a response says of a body. */
export const lengthAndIntegrity: readonly string[] = [
  "content-length",
  ...integrityFields,
  "etag",
  "accept-ranges",
];

/**
 * Makes the headers of a message true for a body that changed. `isDecoded`: it came with a content-encoding,
 * and goes on without.
 */
export function tellOfChange(headers: HeaderLines, length: number, isDecoded: boolean): void {
  for (const name of integrityFields) headers.remove(name);
  if (isDecoded) headers.remove("content-encoding");
  // Where the length was not told, the transfer tells the end.
  if (headers.lines.has("content-length")) headers.set("content-length", String(length));
}
