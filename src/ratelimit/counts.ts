import type { Addition } from "../quota/index.js";
import type { AppliedLimit, CountedLimit } from "./applied-limit.js";
import type { CounterKeys } from "./counter-key.js";
import type { Domain } from "./domains.js";
import { hitsOf } from "./hits.js";
import type { LocalCache } from "./local-cache.js";
import type { RateLimitRequest, RateLimitSettings } from "./model.js";

/** What a descriptor does to its counter. */
export interface Count {
  readonly limit: CountedLimit;
  readonly key: string;
  /** From 0 on. */
  readonly hits: number | bigint;
  /**
   * `is_negative_hits`: gives the hits back, and is never refused, whatever the counter holds; nothing is
   * said of it in the statistics. envoyproxy/ratelimit does not know the field and charges the hits instead.
   */
  readonly givesBack: boolean;
  /** The local cache says so, and the counter is not asked. */
  readonly isKnownOver: boolean;
}

/** What a call is counted with. */
export interface Counting {
  readonly keys: CounterKeys;
  readonly localCache: LocalCache | undefined;
}

/**
 * For each descriptor of a call what it counts; undefined where nothing is. `now` in milliseconds since the
 * epoch.
 */
export function countsOf(
  request: RateLimitRequest,
  domain: Domain,
  limits: readonly (AppliedLimit | undefined)[],
  now: number,
  { keys, localCache }: Counting,
): readonly (Count | undefined)[] {
  const seconds = Math.floor(now / 1000);
  return request.descriptors.map((descriptor, index) => {
    const limit = limits[index];
    if (limit === undefined || limit.isUnlimited) {
      return undefined;
    }
    const hits = hitsOf(descriptor, request.hitsAddend);
    const key = keys.key(domain.keyStart, descriptor.entries, limit.patterns, limit.unit, seconds);
    const givesBack = descriptor.isNegative;
    const isKnownOver = !givesBack && localCache?.has(key, now) === true;
    return { limit, key, hits, givesBack, isKnownOver };
  });
}

/**
 * What the store has to add. A counter is kept for the unit and up to EXPIRATION_JITTER_MAX_SECONDS more, so
 * that not all go at once. With STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT nothing is charged where the local
 * cache knows one to be over.
 */
export function additionsOf(
  counts: readonly (Count | undefined)[],
  settings: RateLimitSettings,
  random: () => number,
): { readonly additions: readonly Addition[]; readonly stopsWhenOver: boolean } {
  const isOneOver = counts.some((count) => count?.isKnownOver === true);
  const isLook = settings.stopsWhenOver && isOneOver;
  const additions: Addition[] = [];
  for (const count of counts) {
    if (count === undefined || count.isKnownOver) {
      continue;
    }
    const { limit, key, hits, givesBack } = count;
    additions.push({
      key,
      hits: givesBack ? negative(hits) : isLook ? 0 : hits,
      ttlSeconds: limit.seconds + Math.floor(random() * settings.jitterSeconds),
      // What gives back is over no limit.
      limit: givesBack ? Number.MAX_SAFE_INTEGER : limit.requestsPerUnit,
    });
  }
  return { additions, stopsWhenOver: settings.stopsWhenOver && !isOneOver };
}

function negative(hits: number | bigint): number | bigint {
  return typeof hits === "bigint" ? -hits : 0 - hits;
}
