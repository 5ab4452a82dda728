import { setTimeout as delay } from "node:timers/promises";

/** What showing decisions needs of the process. */
export interface DecisionPorts {
  /** Aborted when nobody wants more: interrupted, or what was printed is not read any more. */
  readonly signal: AbortSignal;
  /** Resolves after that time, or when the signal is aborted. */
  readonly sleep: (ms: number) => Promise<void>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Runs `show` so that SIGINT, SIGTERM and a closed standard output (`| head`) end it as if it were done. */
export async function withProcess<Result>(show: (ports: DecisionPorts) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  const { signal } = controller;
  const end = (): void => controller.abort();
  process.on("SIGINT", end).on("SIGTERM", end);
  process.stdout.on("error", end);
  try {
    return await show({ signal, now: Date.now, sleep: (ms) => pause(ms, signal) });
  } finally {
    process.off("SIGINT", end).off("SIGTERM", end);
    // `error` of a closed pipe may come after the last line: its listener stays.
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
