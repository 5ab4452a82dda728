import type { MetricObject } from "prom-client";
import type { Report } from "../report/index.js";
import type { MetricDefinition } from "./definition.js";
import { createHistogramFamily, createNumberFamily } from "./family.js";

/** Why an entry of an access log was not reported. */
export type LogDropReason = "queue_full" | "malformed" | "upstream" | "unknown_type" | "failed";

/** What access logs count. */
export interface LogMetrics {
  /** An entry of an access log was understood. Its outcome counts when it is over. */
  reported(report: Report): void;
  logEntriesDropped(reason: LogDropReason, count: number): void;
  /** So many entries of this process wait to be read. */
  logEntriesQueued(count: number): void;
  /** By so many there are more streams of access logs in this process, or fewer. */
  logStreamsChanged(by: number): void;
  values(): MetricObject[];
}

const entries: MetricDefinition = {
  name: "gatehouse_log_entries_total",
  type: "counter",
  help: "Entries of Envoy's access logs that were reported.",
  labels: [
    { name: "protocol", values: ["http", "tcp"] },
    { name: "event", values: ["open", "continue", "close"] },
  ],
};

const dropped: MetricDefinition = {
  name: "gatehouse_log_entries_dropped_total",
  type: "counter",
  help: "Entries of Envoy's access logs that were not reported, by reason.",
  labels: [{ name: "reason", values: ["queue_full", "malformed", "upstream", "unknown_type", "failed"] }],
  startsAtZero: true,
  more:
    "`queue_full`: more came than could be read. `malformed`: the entry, or the rest of its message, is none, or longer than 256 KiB" +
    " (counted once for the rest). `upstream`, `unknown_type`: entries of an upstream log or of a type that is not" +
    " known, which would count a request twice. `failed`: an internal error.",
};

const queued: MetricDefinition = {
  name: "gatehouse_log_queue_entries",
  type: "gauge",
  help: "Entries of access logs that wait to be read.",
  labels: [],
};

const streams: MetricDefinition = {
  name: "gatehouse_log_streams",
  type: "gauge",
  help: "Streams of access logs that are open.",
  labels: [],
  more: "Envoy opens one for each of its threads and each log.",
};

const outcomeNames = [
  "allowed",
  "denied",
  "shadow_denied",
  "shadow_error",
  "error",
  "timeout",
  "denied_but_served",
  "none",
] as const satisfies readonly Report["check"]["outcome"][];

const outcomes: MetricDefinition = {
  name: "gatehouse_check_outcomes_total",
  type: "counter",
  help: "Requests and connections that are over, by what became of their check at the proxy.",
  labels: [{ name: "outcome", values: outcomeNames }],
  startsAtZero: true,
  more: "`error` and `timeout` are checks whose answer never reached Envoy, which no other metric here can know.",
};

const latency: MetricDefinition = {
  name: "gatehouse_check_latency_at_proxy_seconds",
  type: "histogram",
  help: "What a check took as the proxy sees it, the network included; of entries that say so.",
  labels: [],
  buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
};

const served: MetricDefinition = {
  name: "gatehouse_denied_but_served_total",
  type: "counter",
  help: "Requests that were refused and that an upstream answered nevertheless.",
  labels: [],
  more: "To be alerted on: it must stay 0.",
};

const obligations: MetricDefinition = {
  name: "gatehouse_obligations_total",
  type: "counter",
  help: "Obligations of requests that were allowed and served, by whether somebody says to have carried them out.",
  labels: [{ name: "result", values: ["met", "unmet"] }],
  startsAtZero: true,
  more:
    "`unmet` is to be alerted on: a BodyPolicy that a decision asks for did not act. Of a request that was cut short those" +
    " that were carried out count alone.",
};

/** The metrics of access logs. */
export const logDefinitions: readonly MetricDefinition[] = [
  entries,
  dropped,
  queued,
  streams,
  outcomes,
  latency,
  served,
  obligations,
];

/** Counts entries of access logs, and what they say of checks. */
export function createLogMetrics(): LogMetrics {
  const counted = createNumberFamily(entries);
  const lost = createNumberFamily(dropped);
  const waiting = createNumberFamily(queued);
  const open = createNumberFamily(streams);
  const checks = createNumberFamily(outcomes);
  const latencies = createHistogramFamily(latency);
  const alarms = createNumberFamily(served);
  const obliged = createNumberFamily(obligations);
  return {
    reported({ attributes, event, check }) {
      const { outcome, latencyMs } = check;
      counted.add(1, attributes.protocol, event);
      if (event !== "close") return;
      checks.add(1, outcome);
      if (latencyMs !== undefined) latencies.observe(latencyMs / 1000);
      if (outcome === "denied_but_served") alarms.add(1);
      if (check.obligations.length === 0 || outcome !== "allowed") return;
      const met = check.obligations.filter((name) => check.body?.fulfilled.includes(name) === true).length;
      if (met > 0) obliged.add(met, "met");
      if (check.unmet.length > 0) obliged.add(check.unmet.length, "unmet");
    },
    logEntriesDropped: (reason, count) => lost.add(count, reason),
    logEntriesQueued: (count) => waiting.set(count),
    logStreamsChanged: (by) => open.add(by),
    values: () =>
      [counted, lost, waiting, open, checks, latencies, alarms, obliged].map((family) => family.object()),
  };
}
