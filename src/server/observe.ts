import type { Logger } from "pino";
import type { DecisionLog, LogLine } from "../logs/index.js";
import {
  type CheckObservation,
  type DecisionRecord,
  type DecisionRing,
  type Metrics,
  recordOf,
} from "../telemetry/index.js";
import type { Outlet } from "./outlet.js";
import { createSeldom } from "./seldom.js";

interface ObserverPorts {
  readonly metrics: Pick<Metrics, "checked" | "failed" | "failedOpen" | "unknownWorkload">;
  readonly decisions: Pick<DecisionRing, "push">;
  readonly logger: Pick<Logger, "warn" | "error">;
  /** What is in force; undefined: decisions are not written anywhere. */
  readonly log: () => DecisionLog | undefined;
  readonly outlet: Pick<Outlet, "write" | "store">;
  /** Calls back in a later turn of the event loop. */
  readonly soon: (callback: () => void) => void;
}

/** Takes note of a decision. A promise: it has to be kept until the answer is given, see `Authorization`. */
export type Observe = (check: CheckObservation) => Promise<unknown> | undefined;

/**
 * Takes note of each decision: metrics, the ring behind `/decisions`, a log line where someone has to act, and the
 * decision log. Its lines are made after the answer was given, unless a sink is strict.
 */
export function createObserver({ metrics, decisions, logger, log, outlet, soon }: ObserverPorts): Observe {
  const mayLog = createSeldom();
  let waiting: {
    readonly check: CheckObservation;
    readonly record: DecisionRecord;
    readonly log: DecisionLog;
  }[] = [];

  const linesOf = (
    check: CheckObservation,
    record: DecisionRecord,
    decisionLog: DecisionLog,
  ): readonly LogLine[] => {
    try {
      return decisionLog.lines(check, record);
    } catch (err) {
      metrics.failed("process");
      logger.error({ err, decision_id: record.decision_id }, "a decision could not be written to its log");
      return [];
    }
  };

  const writeAll = (): void => {
    const all = waiting;
    waiting = [];
    for (const one of all) for (const line of linesOf(one.check, one.record, one.log)) outlet.write(line);
  };

  /** Until the answer may be given; undefined: at once. */
  const write = (check: CheckObservation, record: DecisionRecord): Promise<unknown> | undefined => {
    const decisionLog = log();
    if (decisionLog === undefined) return undefined;
    // What could not be put on record has been refused for that: nobody waits for it again.
    if (decisionLog.strict.size === 0 || check.decision.reason === "unrecorded") {
      if (waiting.push({ check, record, log: decisionLog }) === 1) soon(writeAll);
      return undefined;
    }
    const lines = decisionLog.lines(check, record);
    const strict = lines.filter(({ sink }) => decisionLog.strict.has(sink));
    const others = lines.filter(({ sink }) => !decisionLog.strict.has(sink));
    const writeOthers = (): void => {
      for (const line of others) outlet.write(line);
    };
    if (strict.length > 0) return Promise.all(strict.map((line) => outlet.store(line))).then(writeOthers);
    writeOthers();
    return undefined;
  };

  const warnOfWorkload = ({ decision, now, attributes }: CheckObservation): void => {
    metrics.unknownWorkload();
    if (!mayLog(now)) return;
    logger.warn(
      { decision_id: decision.decisionId, destination: attributes?.destination.ip?.text },
      "destination workload is unknown while policies are scoped: set `destination.namespace` in the filter's" +
        " context_extensions, register the workload, or set Mesh.spec.defaultWorkload",
    );
  };

  const note = (check: CheckObservation, record: DecisionRecord): void => {
    const { decision } = check;
    metrics.checked(decision, check.durationMs / 1000, check.attributes?.protocol);
    decisions.push(record);
    if (decision.failedOpen) metrics.failedOpen();
    if (decision.reason === "unknown_workload") warnOfWorkload(check);
  };

  return (check) => {
    const record = recordOf(check);
    const stored = write(check, record);
    // INVARIANT: only what is answered is counted and shown; a decision that cannot be kept gives way to its refusal.
    if (stored !== undefined) return stored.then(() => note(check, record));
    note(check, record);
    return undefined;
  };
}
