import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { isWellFormed } from "../attributes/index.js";
import type { Algorithm, Allowance } from "./store.js";

/** Longest value, in bytes, that stands in a key as it is. */
const MAX_BYTES = 128;

const algorithmLetters: Readonly<Record<Algorithm, string>> = {
  fixedWindow: "f",
  slidingWindow: "s",
  tokenBucket: "t",
  concurrency: "c",
};

const ascii = /^[\x20-\x7e]*$/;

/**
 * A text as a part of a key: no two texts have one part, and no part is the beginning of another. A short text stands
 * in it behind its length. A long one, and one that has no form in UTF-8 (where halves of characters would all become
 * one), by its SHA-256 behind `#`.
 */
export function keyPart(text: string): string {
  const { length } = text;
  if (length <= MAX_BYTES) {
    if (ascii.test(text)) return `${length}:${text}`;
    if (Buffer.byteLength(text) <= MAX_BYTES && isWellFormed(text)) return `${length}:${text}`;
  }
  return hidingPart(text);
}

/** The part of any text that does not show it. */
function hidingPart(text: string): string {
  return `#${createHash("sha256").update(text, "utf16le").digest("base64url")}`;
}

/** What all keys of a Quota begin with while it has this allowance. The limit is not in it: it may change. */
export function keyPrefix(namespace: string, name: string, { algorithm, windowMs }: Allowance): string {
  return `quota:${keyPart(namespace)}${keyPart(name)}${algorithmLetters[algorithm]}${windowMs}/`;
}

/**
 * The key of these values of the dimensions, in their order; those at places where `areSecret` is true do not show in it.
 * INVARIANT: injective, see {@link keyPart}.
 */
export function keyOf(
  prefix: string,
  values: readonly string[],
  areSecret: readonly boolean[] = noneIsSecret,
): string {
  let key = prefix;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? "";
    key += areSecret[i] === true ? hidingPart(value) : keyPart(value);
  }
  return key;
}

const noneIsSecret: readonly boolean[] = [];

/** The key of requests whose dimensions nobody could tell. No part begins with `*`, so no values have it. */
export function generalKey(prefix: string): string {
  return `${prefix}*`;
}
