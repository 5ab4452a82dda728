import type { Counting } from "./counting.js";

/** What passed in one window. */
export interface FixedWindowState {
  /** Milliseconds since the epoch, a multiple of the window. */
  readonly start: number;
  readonly count: number;
}

/**
 * When the window in force begins: the one in which `now` lies, or a later one that was in force before the clock went
 * back by at most a window.
 *
 *     aligned = now - now mod window
 *     start   = before > aligned and before - now <= window ? before : aligned
 */
export function windowStart(before: number, windowMs: number, now: number): number {
  const aligned = now - (now % windowMs);
  return before > aligned && before - now <= windowMs ? before : aligned;
}

/**
 * Counts in windows that begin at the multiples of their length since the epoch: never more than the limit in one
 * window, and up to twice the limit around the boundary of two.
 *
 *     count     = start = state.start ? state.count : 0
 *     allowed   = limit > 0 and (owed or count + cost <= limit); then count += cost
 *     remaining = max(0, limit - count)
 *     reset     = start + window - now
 *     retry     = allowed ? 0 : reset
 *
 * Units come back only into the window in which they were counted: `start <= at < start + window`.
 */
export const fixedWindow: Counting<FixedWindowState> = {
  take(state, { limit, windowMs, cost, isOwed = false }, now) {
    const start = windowStart(state?.start ?? 0, windowMs, now);
    const before = state?.start === start ? state.count : 0;
    const allowed = limit > 0 && (isOwed || before + cost <= limit);
    const count = allowed ? before + cost : before;
    const resetMs = start + windowMs - now;
    return {
      allowed,
      state: { start, count },
      remaining: Math.max(0, limit - count),
      resetMs,
      retryMs: allowed ? 0 : resetMs,
    };
  },
  giveBack(state, { windowMs, cost }, atMs) {
    const { start, count } = state;
    if (atMs < start || atMs >= start + windowMs) return state;
    return { start, count: Math.max(0, count - cost) };
  },
};
