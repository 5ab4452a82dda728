import type { Counting } from "./counting.js";

/** How full the bucket is of what passed. */
export interface TokenBucketState {
  /**
   * Units that passed and have not drained yet, times the window in milliseconds: so that `limit` of it drain in each
   * millisecond, without a fraction.
   */
  readonly debt: number;
  /** Milliseconds since the epoch: up to when it has drained. */
  readonly atMs: number;
}

/** A hundred years in milliseconds: no counter is kept for longer. */
export const longestMs: number = 36_525 * 86_400_000;

/**
 * The generic cell rate algorithm (GCRA; ITU-T I.371, appendix I), told as its twin, the leaky bucket as a meter: `burst` may
 * pass at once, and after that `limit` per window, evenly. In any time T at most `burst + limit * T / window` passes.
 * The debt is held in units, not as a time (TAT), so that a changed limit applies to what was counted before.
 *
 *     debt      = max(0, state.debt - max(0, now - state.at) * limit)
 *     at        = 0 < state.at - now <= window ? state.at : now
 *     allowed   = limit > 0 and (owed or (burst - cost) * window - debt >= 0); then debt += cost * window
 *     remaining = max(0, floor((burst * window - debt) / window)), 0 of limit 0
 *     reset     = at - now + ceil(debt / limit), at most 100 years; of limit 0: window
 *     retry     = at - now + ceil((debt - (burst - cost) * window) / limit); reset where cost > burst or limit is 0
 *
 * Whole numbers, and exact, while burst * window is at most 2^53 (100 million in a day); above that each charge is rounded
 * by at most 2^-53 of it. The time's own grain is a millisecond. After a clock has gone back by more than a window the
 * debt stays and drains from there. What comes back is taken out of the debt, whenever that is: it may free up to its
 * own units too many when the bucket ran empty in between.
 */
export const tokenBucket: Counting<TokenBucketState> = {
  take(state, { limit, windowMs, burst, cost, isOwed = false }, now) {
    const last = state?.atMs ?? now;
    const drained = Math.max(0, (state?.debt ?? 0) - Math.max(0, now - last) * limit);
    const atMs = last > now && last - now <= windowMs ? last : now;
    const over = drained - (burst - cost) * windowMs;
    const allowed = limit > 0 && (isOwed || over <= 0);
    const debt = allowed ? drained + cost * windowMs : drained;
    const ahead = atMs - now;
    const resetMs =
      limit > 0 ? Math.min(longestMs, (debt > 0 ? ahead : 0) + Math.ceil(debt / limit)) : windowMs;
    const canPass = limit > 0 && cost <= burst;
    return {
      allowed,
      state: { debt, atMs },
      remaining: limit > 0 ? Math.max(0, Math.floor((burst * windowMs - debt) / windowMs)) : 0,
      resetMs,
      retryMs: allowed ? 0 : canPass ? Math.min(resetMs, ahead + Math.ceil(over / limit)) : resetMs,
    };
  },
  giveBack({ debt, atMs }, { windowMs, cost }) {
    return { debt: Math.max(0, debt - cost * windowMs), atMs };
  },
};
