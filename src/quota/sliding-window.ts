import type { Counting, Demand } from "./counting.js";
import { windowStart } from "./fixed-window.js";

/** What passed in a window and in the one before it. */
export interface SlidingWindowState {
  /** Milliseconds since the epoch, a multiple of the window. */
  readonly start: number;
  readonly count: number;
  /** Of the window that ended at `start`. */
  readonly previous: number;
}

/**
 * Counts what passed in this window, and of the one before the part that a window ending now still covers, as if it had
 * passed evenly. Two numbers instead of a log, for this error: never more than the limit in an aligned window, and never
 * more than `limit * (1 + T / window)` in any time T up to a window. An even load gets the limit; the worst case, all of
 * the limit at the end of one window, gets less than twice the limit in a window's time, and none of it at once.
 *
 *     start     = as of a fixed window
 *     previous  = start = state.start ? state.previous : start = state.start + window ? state.count : 0
 *     count     = start = state.start ? state.count : 0
 *     elapsed   = max(0, now - start)
 *     carried   = previous - floor(previous * elapsed / window)
 *     allowed   = limit > 0 and (owed or carried + count + cost <= limit); then count += cost
 *     remaining = max(0, limit - carried - count)
 *     reset     = start - now + (count > 0 ? 2 * window : previous > 0 ? window : 0), from 0 on
 *     retry     = see `wait`
 *
 * Units come back into the window in which they were counted, this one or the one before.
 */
export const slidingWindow: Counting<SlidingWindowState> = {
  take(state, demand, now) {
    const { limit, windowMs, cost, isOwed = false } = demand;
    const turned = turn(state, windowMs, now);
    const { start, previous } = turned;
    const elapsed = Math.max(0, now - start);
    const carried = previous - Math.floor((previous * elapsed) / windowMs);
    const allowed = limit > 0 && (isOwed || carried + turned.count + cost <= limit);
    const count = allowed ? turned.count + cost : turned.count;
    const windows = count > 0 ? 2 : previous > 0 ? 1 : 0;
    const resetMs = Math.max(0, start - now + windows * windowMs);
    return {
      allowed,
      state: { start, count, previous },
      remaining: Math.max(0, limit - carried - count),
      resetMs,
      retryMs: allowed ? 0 : Math.min(resetMs, start - now + wait(turned, demand)),
    };
  },
  giveBack(state, { windowMs, cost }, atMs) {
    const { start, count, previous } = state;
    if (atMs >= start + windowMs || atMs < start - windowMs) return state;
    if (atMs >= start) return { start, count: Math.max(0, count - cost), previous };
    return { start, count, previous: Math.max(0, previous - cost) };
  },
};

function turn(state: SlidingWindowState | undefined, windowMs: number, now: number): SlidingWindowState {
  const start = windowStart(state?.start ?? 0, windowMs, now);
  if (state === undefined) return { start, count: 0, previous: 0 };
  if (state.start === start) return state;
  return { start, count: 0, previous: state.start + windowMs === start ? state.count : 0 };
}

/**
 * Milliseconds from the window's start until what was refused could pass: once enough of what is carried over has
 * left, in this window, or after its end, when what it counts is carried over.
 *
 *     cost > limit (or limit 0): never
 *     room = limit - cost
 *     count <= room: ceil((previous - (room - count)) * window / previous)
 *     else:          window + ceil((count - room) * window / count)
 */
function wait({ count, previous }: SlidingWindowState, { limit, windowMs, cost }: Demand): number {
  if (limit === 0 || cost > limit) return Number.POSITIVE_INFINITY;
  const room = limit - cost;
  if (count <= room) return Math.ceil(((previous - (room - count)) * windowMs) / previous);
  return windowMs + Math.ceil(((count - room) * windowMs) / count);
}
