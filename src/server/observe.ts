import type { Logger } from "pino";
import { type CheckObservation, type DecisionRing, type Metrics, recordOf } from "../telemetry/index.js";

interface ObserverPorts {
  readonly metrics: Metrics;
  readonly decisions: DecisionRing;
  readonly logger: Logger;
}

/**
 * At most one line in this many milliseconds says that workloads are unknown: it names the fix, not the
 * request.
 */
const UNKNOWN_WORKLOAD_LOG_MS = 10_000;

/**
 * Takes note of each decision: metrics, the ring behind `/decisions`, and a log line where someone has to
 * act.
 */
export function createObserver({
  metrics,
  decisions,
  logger,
}: ObserverPorts): (check: CheckObservation) => void {
  let quietUntil = 0;
  return (check) => {
    const { decision, now } = check;
    metrics.checked(decision, check.durationMs / 1000);
    decisions.push(recordOf(check));
    if (decision.failedOpen) metrics.failedOpen();
    if (decision.reason !== "unknown_workload") return;
    metrics.unknownWorkload();
    if (now < quietUntil) return;
    quietUntil = now + UNKNOWN_WORKLOAD_LOG_MS;
    logger.warn(
      { decision_id: decision.decisionId, destination: check.attributes?.destination.ip?.text },
      "destination workload is unknown while policies are scoped: set `destination.namespace` in the filter's" +
        " context_extensions, register the workload, or set Mesh.spec.defaultWorkload",
    );
  };
}
