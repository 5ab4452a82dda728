/** `closed`: asks. `open`: does not ask. `probing`: one question finds out whether it may close. */
export type BreakerState = "closed" | "open" | "probing";

/** Keeps questions away from a server that does not answer them. */
export interface Breaker {
  /**
   * False: do not ask. True while probing means: this is the one question, tell `passed` or `failed` of it.
   */
  readonly tryPass: () => boolean;
  readonly passed: () => void;
  readonly failed: () => void;
  readonly state: () => BreakerState;
}

/** What a breaker takes from its surroundings. */
export interface BreakerPorts {
  /** Milliseconds that never go back. */
  readonly now: () => number;
  readonly onChange: (state: BreakerState) => void;
}

/**
 * Failures in a row that open it: one slow answer does not, five of them take a quarter of a second at most.
 */
const failuresToOpen = 5;
const firstPauseMs = 500;
const longestPauseMs = 5_000;

/** Closed at first. Each probe that fails doubles the pause, from 0.5 to 5 seconds. */
export function createBreaker({ now, onChange }: BreakerPorts): Breaker {
  let state: BreakerState = "closed";
  let failures = 0;
  let pauseMs = firstPauseMs;
  let openUntil = 0;

  const become = (next: BreakerState): void => {
    if (state === next) return;
    state = next;
    onChange(next);
  };
  const open = (): void => {
    openUntil = now() + pauseMs;
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    become("open");
  };
  return {
    tryPass: () => {
      if (state === "closed") return true;
      if (state === "probing" || now() < openUntil) return false;
      become("probing");
      return true;
    },
    passed: () => {
      failures = 0;
      // Late answers to questions from before it opened are no probe.
      if (state === "open") return;
      pauseMs = firstPauseMs;
      become("closed");
    },
    failed: () => {
      if (state === "probing") open();
      else if (state === "closed" && ++failures >= failuresToOpen) open();
    },
    state: () => state,
  };
}
