import { LRUCache } from "lru-cache";
import type { Jwt } from "./jwt.js";

/** A token whose signature a key set has verified. */
export interface VerifiedToken {
  readonly jwt: Jwt;
  /** What the last rules that took it made of it. A WeakMap would be shorter, and costs 70 µs a token. */
  readonly accepted: { readonly rule: object; readonly made: unknown }[];
}

/**
 * Remembers verified tokens by the hash of the whole token and the generation of the keys; neither the token nor
 * its signature part is kept. Entries end with the token. INVARIANT: only the signature is remembered; issuer, time
 * and audience are looked at every time.
 */
export interface TokenCache {
  readonly get: (key: string) => VerifiedToken | undefined;
  readonly set: (key: string, token: VerifiedToken, ttlMs: number) => void;
}

/** Characters of all payloads remembered. */
const maxText = 32 * 1024 * 1024;

/** A cache of at most `max` tokens; 0 remembers nothing. `now` is in milliseconds and may be monotonic. */
export function createTokenCache(max: number, now: () => number): TokenCache {
  if (max === 0) return { get: () => undefined, set: () => {} };
  const cache = new LRUCache<string, VerifiedToken>({
    max,
    maxSize: maxText,
    sizeCalculation: ({ jwt }) => jwt.payloadPart.length + jwt.headerPart.length,
    perf: { now },
    ttlResolution: 1000,
  });
  return {
    get: (key) => cache.get(key),
    set: (key, token, ttlMs) => {
      if (ttlMs > 0) cache.set(key, token, { ttl: ttlMs });
    },
  };
}
