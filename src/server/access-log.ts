import type { Logger } from "pino";
import type { Assembled } from "../config/index.js";
import { createAccessLogService } from "../envoy/index.js";
import type { Report } from "../report/index.js";
import type { Metrics } from "../telemetry/index.js";
import type { AccessLogReceiver } from "./grpc-access-log.js";
import { createLogQueue } from "./log-queue.js";
import { createSeldom } from "./seldom.js";

interface AccessLogPorts {
  readonly metrics: Pick<Metrics, "logEntriesDropped" | "logEntriesQueued" | "logStreamsChanged">;
  readonly logger: Pick<Logger, "warn">;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly soon: (callback: () => void) => void;
  readonly current: () => Assembled | undefined;
  readonly report: (report: Report) => void;
}

/** Receives access logs of this process. */
export interface AccessLogs extends AccessLogReceiver {
  /** Reads all that waits. */
  flush(): void;
}

/** Puts the queue in front of the service. */
export function createAccessLogs({
  metrics,
  logger,
  now,
  soon,
  current,
  report,
}: AccessLogPorts): AccessLogs {
  const mayLog = createSeldom();
  const service = createAccessLogService({
    current,
    report,
    now,
    onSkipped: (reason) => metrics.logEntriesDropped(reason, 1),
    onError: (err) => {
      if (mayLog(now())) logger.warn({ err }, "an entry of an access log could not be read");
    },
  });
  const queue = createLogQueue({
    soon,
    now: () => performance.now(),
    onDropped: (entries) => metrics.logEntriesDropped("queue_full", entries),
    onDepth: metrics.logEntriesQueued,
  });
  return {
    open() {
      const stream = service.open();
      metrics.logStreamsChanged(1);
      return {
        receive: (bytes) => queue.push(stream, bytes),
        end() {
          metrics.logStreamsChanged(-1);
          queue.end(stream);
        },
      };
    },
    flush: queue.flush,
  };
}
