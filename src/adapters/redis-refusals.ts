import { LRUCache } from "lru-cache";
import type { Charge, ChargeResult, CounterState } from "../quota/index.js";

/** Requests that Redis refused and would refuse again, so that callers who hammer on cost it nothing. */
export interface Refusals {
  /** What Redis would say to these charges; undefined: ask it. */
  readonly find: (charges: readonly Charge[]) => ChargeResult | undefined;
  /** `askedAt` is when Redis was asked, by `now`. Keeps only what was refused. */
  readonly keep: (charges: readonly Charge[], result: ChargeResult, askedAt: number) => void;
  readonly forget: (key: string) => void;
}

/** What one process remembers; a few hundred bytes each. */
const maxRefusals = 10_000;
/**
 * For no longer, though the counter stays full until `retryMs` have passed: a reset or a refund by another
 * process, of which nobody tells us, is seen after that.
 */
const longestMs = 1_000;

interface Refusal {
  readonly charges: readonly Charge[];
  readonly result: ChargeResult;
  readonly askedAt: number;
  readonly until: number;
}

/**
 * Remembers by the first counter that refuses. Only for the very same charges: the states of the others are
 * part of the answer. Not where an id stands in them, which may pass all the same, nor where `concurrency`
 * refuses, whose units come back at any time.
 */
export function createRefusals(now: () => number): Refusals {
  const refusals = new LRUCache<string, Refusal>({ max: maxRefusals });

  const find = (charges: readonly Charge[]): ChargeResult | undefined => {
    if (refusals.size === 0) return undefined;
    for (const { key, isTrial } of charges) {
      const refusal = isTrial ? undefined : refusals.get(key);
      if (refusal === undefined) continue;
      const at = now();
      if (at >= refusal.until) refusals.delete(key);
      else if (areSame(charges, refusal.charges)) return later(refusal.result, at - refusal.askedAt);
    }
    return undefined;
  };
  return {
    find,
    keep: (charges, result, askedAt) => {
      if (result.allowed) return;
      for (let i = 0; i < charges.length; i++) {
        const [charge, counter] = [charges[i], result.counters[i]];
        if (charge === undefined || counter === undefined || charge.id !== undefined) return;
        if (charge.isTrial || counter.allowed || charge.algorithm === "concurrency") continue;
        const until = askedAt + Math.min(counter.retryMs, longestMs);
        refusals.set(charge.key, { charges, result, askedAt, until });
        return;
      }
    },
    forget: (key) => void refusals.delete(key),
  };
}

function areSame(one: readonly Charge[], other: readonly Charge[]): boolean {
  return one.length === other.length && one.every((charge, i) => isSame(charge, other[i]));
}

function isSame(one: Charge, other: Charge | undefined): boolean {
  return (
    one.key === other?.key &&
    one.group === other.group &&
    one.cost === other.cost &&
    one.limit === other.limit &&
    one.burst === other.burst &&
    one.isTrial === other.isTrial &&
    one.id === other.id &&
    one.windowMs === other.windowMs &&
    one.algorithm === other.algorithm
  );
}

function later({ counters, atMs }: ChargeResult, ms: number): ChargeResult {
  const passed = Math.round(ms);
  const aged = ({ allowed, remaining, resetMs, retryMs }: CounterState): CounterState => ({
    allowed,
    remaining,
    resetMs: Math.max(allowed ? 0 : 1, resetMs - passed),
    retryMs: allowed ? 0 : Math.max(1, retryMs - passed),
  });
  return { allowed: false, counters: counters.map(aged), atMs: atMs + passed };
}
