import { type JsonValue, member } from "../attributes/index.js";

/** A token without a `kid` may be tried with every key, and reading a key costs 90 µs. */
export const maxKeys = 100;

/** How many keys a text holds as a JWK Set, whether they can be used or not; 0 when it is none. */
export function countKeys(text: string): number {
  try {
    const keys = member(JSON.parse(text) as JsonValue, "keys");
    return Array.isArray(keys) ? keys.length : 0;
  } catch {
    return 0;
  }
}
