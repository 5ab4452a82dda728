import type { Logger } from "pino";
import type { Metrics } from "../telemetry/index.js";
import { createSeldom } from "./seldom.js";

/** What could not be answered. */
type Where = "decode" | "check" | "rate_limit";

interface FailurePorts {
  readonly metrics: Pick<Metrics, "failed">;
  readonly logger: Pick<Logger, "error">;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Takes note of what could not be answered: each is counted, and a line says why. */
export function createFailures({ metrics, logger, now }: FailurePorts): (where: Where, err: unknown) => void {
  const mayLog = createSeldom();
  return (where, err) => {
    metrics.failed(where);
    const reason = `${where} ${err instanceof Error ? `${err.name} ${err.message}` : typeof err}`;
    if (!mayLog(now(), reason)) return;
    const what = where === "rate_limit" ? "rate limit call" : "check";
    logger.error({ err, where }, `${what} could not be answered, refused`);
  };
}
