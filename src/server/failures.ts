import type { Logger } from "pino";
import type { Metrics } from "../telemetry/index.js";

/** What could not be answered. */
type Where = "decode" | "check" | "rate_limit";

interface FailurePorts {
  readonly metrics: Pick<Metrics, "failed">;
  readonly logger: Pick<Logger, "error">;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** At most one line for each reason in this many milliseconds: a broken disk is broken for every check. */
const QUIET_MS = 10_000;
/** So many reasons are told apart before the memory of lines starts anew. */
const MAX_REASONS = 100;

/** Takes note of what could not be answered: each is counted, and a line says why. */
export function createFailures({ metrics, logger, now }: FailurePorts): (where: Where, err: unknown) => void {
  const quietUntil = new Map<string, number>();
  return (where, err) => {
    metrics.failed(where);
    const reason = `${where} ${err instanceof Error ? `${err.name} ${err.message}` : typeof err}`;
    const time = now();
    if (time < (quietUntil.get(reason) ?? 0)) return;
    if (quietUntil.size >= MAX_REASONS) quietUntil.clear();
    quietUntil.set(reason, time + QUIET_MS);
    const what = where === "rate_limit" ? "rate limit call" : "check";
    logger.error({ err, where }, `${what} could not be answered, refused`);
  };
}
