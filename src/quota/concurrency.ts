import type { Counting, Demand } from "./counting.js";

/** Units that become free together, if nobody gives them back before. */
export interface Lease {
  /** Milliseconds since the epoch, a multiple of the slice. */
  readonly expiresAt: number;
  /** Above 0. */
  readonly units: number;
}

/** What is in use, by when it becomes free; in order of time, each time once, at most 131 of them. */
export type ConcurrencyState = readonly Lease[];

/**
 * Counts what is in use at one time: units stay taken until they are given back, or until a window has passed. Leases
 * are kept by slices of a 64th of the window, so that the state is bounded however many there are; a forgotten one lasts
 * up to a slice longer than the window.
 *
 *     slice     = ceil(window / 64)
 *     expiry(t) = ceil((t + window) / slice) * slice
 *     leases    = those with expiresAt > now; one with expiresAt > expiry(now) + window is moved to expiry(now)
 *     used      = sum of their units
 *     allowed   = limit > 0 and (owed or used + cost <= limit); then cost units are added at expiry(now)
 *     remaining = max(0, limit - used)
 *     reset     = the last expiresAt - now, 0 without leases
 *     retry     = the first expiresAt - now at which enough is free, at the latest; reset where that is never
 *
 * Units come back out of the lease of the slice in which they were taken, expiry(at), and out of no other: a lease that
 * ran out has none. Where nobody knows when that was (`atMs` below 0) they come out of the newest leases. Either way
 * those that nobody gives back run out however many others come and go.
 */
export const concurrency: Counting<ConcurrencyState> = {
  take(state, demand, now) {
    const { limit, windowMs, cost, isOwed = false } = demand;
    const expiresAt = expiry(windowMs, now);
    const live = running(state ?? [], { now, expiresAt, windowMs });
    let used = 0;
    for (const { units } of live) used += units;
    const allowed = limit > 0 && (isOwed || used + cost <= limit);
    const leases = allowed && cost > 0 ? withLease(live, { expiresAt, units: cost }) : live;
    const resetMs = Math.max(0, (leases[leases.length - 1]?.expiresAt ?? now) - now);
    return {
      allowed,
      state: leases,
      remaining: Math.max(0, limit - (allowed ? used + cost : used)),
      resetMs,
      retryMs: allowed ? 0 : Math.min(resetMs, wait(live, demand, used) - now),
    };
  },
  giveBack(state, { windowMs, cost }, atMs) {
    if (atMs < 0) return withoutNewest(state, cost);
    const expiresAt = expiry(windowMs, atMs);
    return state
      .map((lease) => (lease.expiresAt === expiresAt ? { expiresAt, units: lease.units - cost } : lease))
      .filter(({ units }) => units > 0);
  },
};

function expiry(windowMs: number, now: number): number {
  const slice = Math.ceil(windowMs / 64);
  return Math.ceil((now + windowMs) / slice) * slice;
}

interface Moment {
  readonly now: number;
  /** Of a lease that is taken now. */
  readonly expiresAt: number;
  readonly windowMs: number;
}

function running(state: ConcurrencyState, { now, expiresAt, windowMs }: Moment): ConcurrencyState {
  const first = state[0];
  const last = state[state.length - 1];
  if (first === undefined || last === undefined) return state;
  const latest = expiresAt + windowMs;
  if (first.expiresAt > now && last.expiresAt <= latest) return state;
  let live: ConcurrencyState = state.filter((lease) => lease.expiresAt > now && lease.expiresAt <= latest);
  for (const lease of state) {
    if (lease.expiresAt > latest) live = withLease(live, { expiresAt, units: lease.units });
  }
  return live;
}

function withLease(leases: ConcurrencyState, added: Lease): ConcurrencyState {
  let index = leases.length;
  while (index > 0 && (leases[index - 1]?.expiresAt ?? 0) >= added.expiresAt) index--;
  const there = leases[index];
  const isThere = there?.expiresAt === added.expiresAt;
  const units = added.units + (isThere ? there.units : 0);
  return leases.toSpliced(index, isThere ? 1 : 0, { expiresAt: added.expiresAt, units });
}

function withoutNewest(leases: ConcurrencyState, units: number): ConcurrencyState {
  const left = [...leases];
  let rest = units;
  for (let last = left.pop(); last !== undefined; last = left.pop()) {
    if (last.units > rest) return [...left, { expiresAt: last.expiresAt, units: last.units - rest }];
    rest -= last.units;
  }
  return left;
}

/** When enough has run out for what was refused. */
function wait(leases: ConcurrencyState, { limit, cost }: Demand, used: number): number {
  if (limit === 0 || cost > limit) return Number.POSITIVE_INFINITY;
  let left = used;
  for (const { units, expiresAt } of leases) {
    left -= units;
    if (left + cost <= limit) return expiresAt;
  }
  return Number.POSITIVE_INFINITY;
}
