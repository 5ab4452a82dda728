import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** What the counters in Redis tell of themselves; of the port `RedisObserver`. Label values come from closed sets. */
export interface RedisMetrics {
  readonly redis: {
    operation(operation: string, result: string, ms: number): void;
    breaker(state: "closed" | "open" | "probing"): void;
    connection(isUp: boolean): void;
    refusedLocally(): void;
  };
}

/** 0.1 ms to 1 s: a Redis nearby takes less than one millisecond. */
const buckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

/** Counts operations on Redis. */
export function createRedisMetrics(registers: Registry[]): RedisMetrics {
  const operations = new Counter({
    name: "gatehouse_redis_operations_total",
    help: "Operations on the counters in Redis, by result.",
    labelNames: ["operation", "result"],
    registers,
  });
  const duration = new Histogram({
    name: "gatehouse_redis_operation_duration_seconds",
    help: "Time from an operation on Redis to its answer, or to its end without one.",
    buckets,
    registers,
  });
  const refused = new Counter({
    name: "gatehouse_redis_refused_locally_total",
    help: "Charges refused without asking Redis, which had refused the same within the last second.",
    registers,
  });
  const breaks = new Counter({
    name: "gatehouse_redis_breaker_opened_total",
    help: "How often Redis was not asked any more for a while, after failures in a row.",
    registers,
  });
  const losses = new Counter({
    name: "gatehouse_redis_connection_losses_total",
    help: "Connections to Redis that were lost.",
    registers,
  });
  const up = new Gauge({
    name: "gatehouse_redis_connections",
    help: "Processes that are connected to Redis.",
    registers,
  });
  let wasUp = false;
  return {
    redis: {
      operation(operation, result, ms) {
        operations.inc({ operation, result });
        duration.observe(ms / 1000);
      },
      breaker(state) {
        if (state === "open") breaks.inc();
      },
      connection(isUp) {
        if (wasUp && !isUp) losses.inc();
        wasUp = isUp;
        up.set(isUp ? 1 : 0);
      },
      refusedLocally: () => refused.inc(),
    },
  };
}
