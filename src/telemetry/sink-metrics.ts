import type { MetricObject } from "prom-client";
import type { MetricDefinition } from "./definition.js";
import { createNumberFamily } from "./family.js";

/** Why a line or span for a sink was lost. */
export type SinkLossReason =
  | "queue_full"
  | "too_long"
  | "unknown_sink"
  | "closed"
  | "not_stored"
  | "refused"
  | "retries"
  /** It did not fit into what a worker has under way to the primary. */
  | "worker_queue";

/** What sinks count; of the ports of those that write and send. Names of sinks come from the Mesh. */
export interface SinkMetrics {
  readonly sinks: {
    queued(sink: string, depth: number): void;
    dropped(sink: string, loss: SinkLossReason, count: number): void;
    delivered(sink: string, count: number): void;
    retried(sink: string): void;
  };
  values(): MetricObject[];
}

const sink = { name: "sink", values: "a name of the Mesh" } as const;

const delivered: MetricDefinition = {
  name: "gatehouse_sink_delivered_total",
  type: "counter",
  help: "Log lines and spans that a sink wrote, or that its receiver took.",
  labels: [sink],
};

const dropped: MetricDefinition = {
  name: "gatehouse_sink_dropped_total",
  type: "counter",
  help: "Log lines and spans that were lost, by reason.",
  labels: [
    sink,
    {
      name: "reason",
      values: [
        ...["queue_full", "too_long", "unknown_sink", "closed", "not_stored", "refused", "retries"],
        "worker_queue",
      ],
    },
  ],
  more:
    "`queue_full`: the disk, reader or receiver is too slow or away. `refused`: the receiver will never take it." +
    " `retries`: it took it at none of the attempts. `not_stored`: it had to be on disk, and is not." +
    " `worker_queue`: too much waited in a worker for the primary.",
};

const queued: MetricDefinition = {
  name: "gatehouse_sink_queue_entries",
  type: "gauge",
  help: "Log lines and spans that wait for a sink, or are on their way.",
  labels: [sink],
};

const retries: MetricDefinition = {
  name: "gatehouse_sink_retries_total",
  type: "counter",
  help: "Further attempts of a sink to open, write or send.",
  labels: [sink],
};

/** The metrics of sinks. */
export const sinkDefinitions: readonly MetricDefinition[] = [delivered, dropped, queued, retries];

/** Sinks told apart; lines for a name that nobody knows keep it. */
const MAX_SINKS = 100;

/** Counts what becomes of lines and spans. */
export function createSinkMetrics(): SinkMetrics {
  const done = createNumberFamily(delivered);
  const lost = createNumberFamily(dropped);
  const waiting = createNumberFamily(queued);
  const again = createNumberFamily(retries);
  const known = new Set<string>();
  const nameOf = (name: string): string => {
    if (known.has(name)) return name;
    if (known.size >= MAX_SINKS) return "other";
    known.add(name);
    return name;
  };
  return {
    sinks: {
      queued: (name, depth) => waiting.set(depth, nameOf(name)),
      dropped: (name, reason, count) => lost.add(count, nameOf(name), reason),
      delivered: (name, count) => done.add(count, nameOf(name)),
      retried: (name) => again.add(1, nameOf(name)),
    },
    values: () => [done, lost, waiting, again].map((family) => family.object()),
  };
}
