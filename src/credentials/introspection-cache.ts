import { LRUCache } from "lru-cache";
import type { CredentialVerdict } from "../authn/index.js";

/** Remembers what one endpoint said of tokens, by the tokens' hashes. */
export interface IntrospectionCache {
  readonly find: (token: string, nowMs: number) => CredentialVerdict | undefined;
  readonly keep: (token: string, verdict: CredentialVerdict, until: Kept) => void;
}

/** How a verdict is kept: it counts from one time to another, in milliseconds since the epoch. */
export interface Kept {
  readonly fromMs: number;
  readonly untilMs: number;
  /** About how many bytes the verdict holds. */
  readonly size: number;
}

interface Entry extends Omit<Kept, "size"> {
  readonly verdict: CredentialVerdict;
}

const maxTokens = 10_000;
const maxBytes = 16 * 1024 * 1024;

/** A clock that goes back further makes entries forget themselves instead of living longer. */
const backwardsMs = 60_000;

/** Remembers nothing. */
export const noIntrospectionCache: IntrospectionCache = { find: () => undefined, keep: () => {} };

/** Good and refused tokens have room of their own, so that made-up tokens drive no good ones out. */
export function createIntrospectionCache(): IntrospectionCache {
  const good = new LRUCache<string, Entry>({ max: maxTokens, maxSize: maxBytes });
  const refused = new LRUCache<string, Entry>({ max: maxTokens });
  return {
    find(token, nowMs) {
      const entry = good.get(token) ?? refused.get(token);
      if (entry === undefined || nowMs >= entry.untilMs || nowMs < entry.fromMs - backwardsMs)
        return undefined;
      return entry.verdict;
    },
    keep(token, verdict, { fromMs, untilMs, size }) {
      good.delete(token);
      refused.delete(token);
      if (untilMs <= fromMs) return;
      const entry = { verdict, fromMs, untilMs };
      if (verdict.refusal === undefined) good.set(token, entry, { size: Math.max(1, size) });
      else refused.set(token, entry);
    },
  };
}
