import type { CountedLimit } from "./applied-limit.js";
import type { RateLimitObserver } from "./model.js";

type Kind = Parameters<RateLimitObserver["counted"]>[1];

/** Tells an observer what the peer would write into its statistics. Hits of 0 are not told. */
export interface Statistics {
  /** Before the store is asked, so that it is told also when the store fails. */
  asked(limit: CountedLimit, hits: number): void;
  /** `after`: the counter with the hits. */
  within(limit: CountedLimit, hits: number, after: number): void;
  /** `after`: the counter with the hits, as far as they were counted. */
  over(limit: CountedLimit, hits: number, after: number): void;
  /** The local cache knew it. */
  overByLocalCache(limit: CountedLimit, hits: number): void;
}

/**
 * The arithmetic of envoyproxy/ratelimit: a call's hits are split at the limit and at the threshold below it.
 */
export function createStatistics(observer: RateLimitObserver): Statistics {
  const tell = (limit: CountedLimit, kind: Kind, hits: number) => {
    if (hits > 0) {
      observer.counted(limit.path, kind, hits);
    }
  };
  return {
    asked: (limit, hits) => tell(limit, "total_hits", hits),
    within: (limit, hits, after) => {
      if (after > limit.nearThreshold) {
        const near = before(hits, after) >= limit.nearThreshold ? hits : after - limit.nearThreshold;
        tell(limit, "near_limit", near);
      }
      tell(limit, "within_limit", hits);
    },
    over: (limit, hits, after) => {
      const earlier = before(hits, after);
      const isAllOver = earlier >= limit.requestsPerUnit;
      const over = isAllOver ? hits : after - limit.requestsPerUnit;
      tell(limit, "over_limit", over);
      if (!isAllOver) {
        tell(limit, "near_limit", limit.requestsPerUnit - Math.max(limit.nearThreshold, earlier));
      }
      if (limit.shadowMode) {
        tell(limit, "shadow_mode", over);
      }
    },
    overByLocalCache: (limit, hits) => {
      tell(limit, "over_limit", hits);
      tell(limit, "over_limit_with_local_cache", hits);
      if (limit.shadowMode) {
        tell(limit, "shadow_mode", hits);
      }
    },
  };
}

/**
 * The counter before the hits. With STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT it may be less than they are, as
 * they were not counted; the peer's unsigned number is very great then.
 */
function before(hits: number, after: number): number {
  return after >= hits ? after - hits : Number.POSITIVE_INFINITY;
}
