import type { Logger } from "pino";
import type { DecisionLog } from "../logs/index.js";
import {
  type CheckObservation,
  type DecisionRecord,
  type DecisionRing,
  type Metrics,
  recordOf,
} from "../telemetry/index.js";
import type { Outlet } from "./outlet.js";

interface ObserverPorts {
  readonly metrics: Pick<Metrics, "checked" | "failedOpen" | "unknownWorkload">;
  readonly decisions: Pick<DecisionRing, "push">;
  readonly logger: Pick<Logger, "warn">;
  /** What is in force; undefined: decisions are not written anywhere. */
  readonly log: () => DecisionLog | undefined;
  readonly outlet: Pick<Outlet, "write" | "store">;
  /** Calls back in a later turn of the event loop. */
  readonly soon: (callback: () => void) => void;
}

/**
 * At most one line in this many milliseconds says that workloads are unknown: it names the fix, not the
 * request.
 */
const UNKNOWN_WORKLOAD_LOG_MS = 10_000;

/** Takes note of a decision. A promise: it has to be kept until the answer is given, see `Authorization`. */
export type Observe = (check: CheckObservation) => Promise<unknown> | undefined;

/**
 * Takes note of each decision: metrics, the ring behind `/decisions`, a log line where someone has to act, and the
 * decision log. Its lines are made after the answer was given, unless a sink is strict.
 */
export function createObserver({ metrics, decisions, logger, log, outlet, soon }: ObserverPorts): Observe {
  let quietUntil = 0;
  let waiting: {
    readonly check: CheckObservation;
    readonly record: DecisionRecord;
    readonly log: DecisionLog;
  }[] = [];

  const writeAll = (): void => {
    const all = waiting;
    waiting = [];
    for (const one of all) for (const line of one.log.lines(one.check, one.record)) outlet.write(line);
  };

  const write = (check: CheckObservation, record: DecisionRecord): Promise<unknown> | undefined => {
    const decisionLog = log();
    if (decisionLog === undefined) return undefined;
    // What could not be put on record has been refused for that: nobody waits for it again.
    if (decisionLog.strict.size === 0 || check.decision.reason === "unrecorded") {
      if (waiting.push({ check, record, log: decisionLog }) === 1) soon(writeAll);
      return undefined;
    }
    const stored: Promise<void>[] = [];
    for (const line of decisionLog.lines(check, record)) {
      if (decisionLog.strict.has(line.sink)) stored.push(outlet.store(line));
      else outlet.write(line);
    }
    return stored.length === 0 ? undefined : Promise.all(stored);
  };

  const warnOfWorkload = ({ decision, now, attributes }: CheckObservation): void => {
    metrics.unknownWorkload();
    if (now < quietUntil) return;
    quietUntil = now + UNKNOWN_WORKLOAD_LOG_MS;
    logger.warn(
      { decision_id: decision.decisionId, destination: attributes?.destination.ip?.text },
      "destination workload is unknown while policies are scoped: set `destination.namespace` in the filter's" +
        " context_extensions, register the workload, or set Mesh.spec.defaultWorkload",
    );
  };

  return (check) => {
    const { decision } = check;
    metrics.checked(decision, check.durationMs / 1000, check.attributes?.protocol);
    const record = recordOf(check);
    decisions.push(record);
    if (decision.failedOpen) metrics.failedOpen();
    if (decision.reason === "unknown_workload") warnOfWorkload(check);
    return write(check, record);
  };
}
