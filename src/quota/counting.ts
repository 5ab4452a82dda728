import { concurrency } from "./concurrency.js";
import { fixedWindow } from "./fixed-window.js";
import { slidingWindow } from "./sliding-window.js";
import type { Algorithm, Allowance, CounterState } from "./store.js";
import { tokenBucket } from "./token-bucket.js";

/** What is asked of one counter: units, and how many may pass. */
export interface Demand extends Allowance {
  /** Units, a whole number from 0 to 2^32 - 1. */
  readonly cost: number;
  /** The units were used already: they are counted beyond what may pass too, but for a limit of 0. */
  readonly isOwed?: boolean;
}

/** A counter after a demand. */
export interface Step<State> extends CounterState {
  /** With the units in it when they pass; else as it stands at that time. */
  readonly state: State;
}

/**
 * A way of counting as pure arithmetic over whole numbers; times are milliseconds since the epoch. A store keeps the
 * state of what it counted for `resetMs`, and none where it is told of none. The formulas stand at each algorithm;
 * another store computes the same ones, in doubles.
 *
 * Of all four: a limit that is lowered below what is counted refuses until it fits, one that is raised lets pass at
 * once. A clock that goes back by at most a window gives nobody anything: what was counted stays in force until the
 * clock has caught up. One that goes back further starts anew where it is.
 */
export interface Counting<State> {
  take(state: State | undefined, demand: Demand, now: number): Step<State>;
  /**
   * Takes `demand.cost` units out that were counted at `atMs`, as far as the state still holds them. Below 0: nobody
   * knows when; then only `concurrency` gives back.
   */
  giveBack(state: State, demand: Demand, atMs: number): State;
}

/** The four ways of counting. */
export const countings: Readonly<Record<Algorithm, Counting<unknown>>> = {
  fixedWindow,
  slidingWindow,
  tokenBucket,
  concurrency,
};
