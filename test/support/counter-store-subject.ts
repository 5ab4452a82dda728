import type { Algorithm, Charge, CounterStore } from "../../src/quota/index.js";

/** A store with a clock of its own or one that the test moves. */
export interface StoreUnderTest {
  readonly store: CounterStore;
  /** Milliseconds since the epoch by the clock that `charge` counts with. */
  readonly now: () => number;
  /** Lets at least so much time pass, by moving a clock or by sleeping; at most some seconds are asked for. */
  readonly pass: (ms: number) => Promise<void>;
}

/** The store while tests run, for sentences that are written before it is there. */
export type Subject = () => StoreUnderTest;

/** All of them. */
export const algorithms: readonly Algorithm[] = [
  "fixedWindow",
  "slidingWindow",
  "tokenBucket",
  "concurrency",
];

let keys = 0;

/** A name that no other test has, in this or another run on the same store. */
export function freshKey(): string {
  keys += 1;
  return `suite-${process.pid}-${Date.now()}-${keys}`;
}

/** A charge of 1 on a counter of its own: 10 in a fixed window of a hundred years, which no test sees end. */
export function aCharge(changes: Partial<Charge> = {}): Charge {
  const limit = changes.limit ?? 10;
  return {
    algorithm: "fixedWindow",
    windowMs: 36_525 * 86_400_000,
    burst: limit,
    key: freshKey(),
    group: "suite",
    cost: 1,
    isTrial: false,
    id: undefined,
    ...changes,
    limit,
  };
}
