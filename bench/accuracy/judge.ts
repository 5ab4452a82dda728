import type { Charge } from "../../src/quota/index.js";
import type { Grant, Load } from "./load.js";

/** What was measured of one counter, beside what it promises. */
export interface Verdict {
  readonly algorithm: string;
  /** Over what the largest grant was looked for. */
  readonly over: string;
  readonly largest: number;
  readonly bound: number;
}

/** The largest grants in the windows that each algorithm makes promises about. */
export function judge(charge: Charge, { grants, mostInUse }: Load): readonly Verdict[] {
  const { algorithm, limit, windowMs, burst } = charge;
  const verdict = (over: string, largest: number, bound: number): Verdict => ({
    algorithm,
    over,
    largest,
    bound,
  });
  const aligned = verdict("an aligned window", largestAligned(grants, windowMs), limit);
  const rolling = largestRolling(grants, windowMs);
  switch (algorithm) {
    case "fixedWindow":
      return [aligned, verdict("any window", rolling, 2 * limit)];
    case "slidingWindow":
      return [aligned, verdict("any window", rolling, 2 * limit)];
    case "tokenBucket":
      return [
        verdict("any time, less what drained", fullest(grants, limit / windowMs), burst),
        verdict("any window", rolling, burst + limit),
      ];
    case "concurrency":
      return [verdict("one moment", mostInUse, limit)];
    default:
      return algorithm satisfies never;
  }
}

function largestAligned(grants: readonly Grant[], windowMs: number): number {
  const sums = new Map<number, number>();
  for (const { at, cost } of grants) {
    const window = Math.floor(at / windowMs);
    sums.set(window, (sums.get(window) ?? 0) + cost);
  }
  return Math.max(0, ...sums.values());
}

function largestRolling(grants: readonly Grant[], windowMs: number): number {
  let largest = 0;
  let sum = 0;
  let first = 0;
  for (const { at, cost } of grants) {
    sum += cost;
    for (; at - (grants[first]?.at ?? at) >= windowMs; first++) sum -= grants[first]?.cost ?? 0;
    largest = Math.max(largest, sum);
  }
  return largest;
}

/** The highest level of a bucket that all grants were poured into: the largest of sum - perMs * T over all times T. */
function fullest(grants: readonly Grant[], perMs: number): number {
  let level = 0;
  let highest = 0;
  let last = grants[0]?.at ?? 0;
  for (const { at, cost } of grants) {
    level = Math.max(0, level - perMs * (at - last)) + cost;
    last = at;
    highest = Math.max(highest, level);
  }
  return Math.round(1_000 * highest) / 1_000;
}
