import type { Logger } from "pino";
import type { DecisionLog } from "../logs/index.js";
import { type BodyObservation, bodyEventOf, type DecisionRing, type Metrics } from "../telemetry/index.js";
import type { Outlet } from "./outlet.js";

interface BodyObserverPorts {
  readonly metrics: Pick<Metrics, "bodiesDone" | "failed">;
  readonly decisions: Pick<DecisionRing, "amend">;
  readonly logger: Pick<Logger, "error">;
  /** What is in force; undefined: nothing is written anywhere. */
  readonly log: () => DecisionLog | undefined;
  readonly outlet: Pick<Outlet, "write">;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Calls back in a later turn of the event loop. */
  readonly soon: (callback: () => void) => void;
}

/** What became of an exchange: `closed` comes last, whatever came before, and says all of it. */
export type BodyNews = BodyObservation & { readonly kind: "refused" | "closed" };

/**
 * Takes note of what body policies did, once for each exchange, when it is over: metrics, the record of its decision, and
 * a line of its own in the decision log and the audit file. Lines are made later, and nothing waits for them, not even
 * where a sink is strict: what they tell of has been answered. Never throws.
 */
export function createBodyObserver(ports: BodyObserverPorts): (news: BodyNews) => void {
  const { metrics, decisions, logger, log, outlet, now, soon } = ports;
  let waiting: { readonly news: BodyNews; readonly time: number; readonly log: DecisionLog }[] = [];

  const failed = (err: unknown, { decisionId }: BodyNews): void => {
    metrics.failed("process");
    logger.error({ err, decision_id: decisionId }, "what body policies did could not be put on record");
  };

  const writeAll = (): void => {
    const all = waiting;
    waiting = [];
    for (const one of all) {
      try {
        for (const line of one.log.bodyLines(one.news, one.time)) outlet.write(line);
      } catch (error) {
        failed(error, one.news);
      }
    }
  };

  return (news) => {
    if (news.kind !== "closed") return;
    try {
      const { decisionId, report, refusal } = news;
      if (report === undefined && refusal === undefined) return;
      const time = now();
      metrics.bodiesDone(news);
      decisions.amend({ decision_id: decisionId, body: bodyEventOf(news, time).body });
      const decisionLog = log();
      if (decisionLog === undefined) return;
      if (waiting.push({ news, time, log: decisionLog }) === 1) soon(writeAll);
    } catch (error) {
      failed(error, news);
    }
  };
}
