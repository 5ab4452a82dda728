import { collectDefaultMetrics, type MetricObject, Registry } from "prom-client";
import type { MetricDefinition } from "./definition.js";
import { createHistogramFamily, createNumberFamily } from "./family.js";

/** Where an internal error came from. */
export type ErrorPlace = "check" | "decode" | "rate_limit" | "config" | "tls" | "worker" | "process";

/** What processes count. */
export interface ProcessMetrics {
  failed(where: ErrorPlace): void;
  workerDied(): void;
  workersReady(count: number): void;
  /** A timer of this process came so much later than it was asked to, in seconds. */
  eventLoopLagged(seconds: number): void;
  values(): MetricObject[];
}

const errors: MetricDefinition = {
  name: "gatehouse_internal_errors_total",
  type: "counter",
  help: "Errors that should not happen, by place. One in a check refused its request.",
  labels: [
    {
      name: "where",
      values: ["check", "decode", "rate_limit", "config", "tls", "worker", "process"],
    },
  ],
};

const deaths: MetricDefinition = {
  name: "gatehouse_worker_deaths_total",
  type: "counter",
  help: "Worker processes that ended without being told to.",
  labels: [],
};

const ready: MetricDefinition = {
  name: "gatehouse_workers_ready",
  type: "gauge",
  help: "Worker processes that answer checks; 0 when the primary serves alone.",
  labels: [],
};

/**
 * A histogram of our own, since prom-client's gauges of the event loop are averages over processes of what each had at
 * its worst: one worker that hangs does not show in them.
 */
const lag: MetricDefinition = {
  name: "gatehouse_event_loop_lag_seconds",
  type: "histogram",
  help: "How much later than asked a regular timer came: for so long its program did nothing else.",
  labels: [],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
};

/** The metrics of processes. */
export const processDefinitions: readonly MetricDefinition[] = [errors, deaths, ready, lag];

/** Gauges whose names Prometheus keeps for counters; their series by kind stand beside them. */
const misnamed: ReadonlySet<string> = new Set([
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
]);

/** Counts what happens to processes. */
export function createProcessMetrics(): ProcessMetrics {
  const failures = createNumberFamily(errors);
  const died = createNumberFamily(deaths);
  const serving = createNumberFamily(ready);
  const lags = createHistogramFamily(lag);
  return {
    failed: (where) => failures.add(1, where),
    workerDied: () => died.add(1),
    workersReady: (count) => serving.set(count),
    eventLoopLagged: (seconds) => lags.observe(seconds),
    values: () => [failures.object(), died.object(), serving.object(), lags.object()],
  };
}

/** CPU, memory, garbage collection and event loop of this process, as prom-client has them. */
export function createDefaultMetrics(): () => Promise<MetricObject[]> {
  const register = new Registry();
  collectDefaultMetrics({ register });
  return async () => {
    const all = (await register.getMetricsAsJSON()) as MetricObject[];
    return all.filter(({ name }) => !misnamed.has(name));
  };
}
