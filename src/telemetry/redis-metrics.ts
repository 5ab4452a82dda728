import type { MetricObject } from "prom-client";
import type { MetricDefinition } from "./definition.js";
import { createHistogramFamily, createNumberFamily } from "./family.js";

/** What the counters in Redis tell of themselves; of the port `RedisObserver`. Label values come from closed sets. */
export interface RedisMetrics {
  readonly redis: {
    operation(operation: string, result: string, ms: number): void;
    breaker(state: "closed" | "open" | "probing"): void;
    connection(isUp: boolean): void;
    refusedLocally(): void;
  };
  values(): MetricObject[];
}

const operations: MetricDefinition = {
  name: "gatehouse_redis_operations_total",
  type: "counter",
  help: "Operations on the counters in Redis, by result.",
  labels: [
    { name: "operation", values: ["charge", "refund", "debit", "add", "look", "read", "reset"] },
    { name: "result", values: ["ok", "unavailable", "timeout", "full", "overflow"] },
  ],
  more: "`add` is the rate limit service's.",
};

/** 0.1 ms to 1 s: a Redis nearby takes less than one millisecond. */
const duration: MetricDefinition = {
  name: "gatehouse_redis_operation_duration_seconds",
  type: "histogram",
  help: "Time from an operation on Redis to its answer, or to its end without one.",
  labels: [],
  buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
};

const refusals: MetricDefinition = {
  name: "gatehouse_redis_refused_locally_total",
  type: "counter",
  help: "Charges refused without asking Redis, which had refused the same within the last second.",
  labels: [],
};

const breaks: MetricDefinition = {
  name: "gatehouse_redis_breaker_opened_total",
  type: "counter",
  help: "How often Redis was not asked any more for a while, after failures in a row.",
  labels: [],
};

const losses: MetricDefinition = {
  name: "gatehouse_redis_connection_losses_total",
  type: "counter",
  help: "Connections to Redis that were lost.",
  labels: [],
};

const connections: MetricDefinition = {
  name: "gatehouse_redis_connections",
  type: "gauge",
  help: "Processes that are connected to Redis.",
  labels: [],
};

/** The metrics of counters in Redis. */
export const redisDefinitions: readonly MetricDefinition[] = [
  operations,
  duration,
  refusals,
  breaks,
  losses,
  connections,
];

/** Counts operations on Redis. */
export function createRedisMetrics(): RedisMetrics {
  const counted = createNumberFamily(operations);
  const durations = createHistogramFamily(duration);
  const refused = createNumberFamily(refusals);
  const opened = createNumberFamily(breaks);
  const lost = createNumberFamily(losses);
  const up = createNumberFamily(connections);
  let wasUp = false;
  return {
    redis: {
      operation(operation, result, ms) {
        counted.add(1, operation, result);
        durations.observe(ms / 1000);
      },
      breaker(state) {
        if (state === "open") opened.add(1);
      },
      connection(isUp) {
        if (wasUp && !isUp) lost.add(1);
        wasUp = isUp;
        up.set(isUp ? 1 : 0);
      },
      refusedLocally: () => refused.add(1),
    },
    values: () => [counted, durations, refused, opened, lost, up].map((family) => family.object()),
  };
}
