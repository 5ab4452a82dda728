import type { MetricObject } from "prom-client";
import { metricObject } from "./exposition.js";

/** What the counter of checks is labelled with. */
export interface CheckOutcome {
  readonly allowed: boolean;
  /** gRPC code of the decision; 0 exactly when allowed. */
  readonly code: number;
  /** The stage that decided, from the engine's closed set. */
  readonly stage: string;
}

/** The two metrics that every check touches. */
export interface CheckMetrics {
  /** `seconds` is from the decoded request to its decision. */
  checked(outcome: CheckOutcome, seconds: number): void;
  values(): MetricObject[];
}

/** 10 µs to 1 s: a policy takes microseconds, a provider milliseconds. */
const bounds: readonly number[] = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
  0.5, 1,
];

/** google.rpc.Code by number. */
const codes: readonly string[] = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];
const unknownCode = 2;

/**
 * Counts in plain arrays and makes prom-client's form of them only when asked: its own counter and histogram build a
 * key from the labels at every call, which was the larger part of what observing a check cost.
 */
export function createCheckMetrics(): CheckMetrics {
  const byStage = new Map<string, number[]>();
  const buckets = new Array<number>(bounds.length + 1).fill(0);
  let sum = 0;
  return {
    checked({ code, stage }, seconds) {
      let counts = byStage.get(stage);
      if (counts === undefined) {
        counts = new Array<number>(codes.length).fill(0);
        byStage.set(stage, counts);
      }
      const index = code < codes.length ? code : unknownCode;
      counts[index] = (counts[index] ?? 0) + 1;
      let bucket = 0;
      while (bucket < bounds.length && seconds > (bounds[bucket] ?? 0)) bucket += 1;
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
      sum += seconds;
    },
    values: () => [counterOf(byStage), histogramOf(buckets, sum)],
  };
}

function counterOf(byStage: ReadonlyMap<string, readonly number[]>): MetricObject {
  const values = [...byStage].flatMap(([stage, counts]) =>
    counts.flatMap((value, code) => {
      if (value === 0) return [];
      const labels = { allowed: code === 0 ? "true" : "false", code: codes[code] ?? "UNKNOWN", stage };
      return [{ value, labels }];
    }),
  );
  return metricObject({
    name: "gatehouse_checks_total",
    help: "Checks answered, by outcome, gRPC code and the stage that decided.",
    type: "counter",
    values,
  });
}

function histogramOf(buckets: readonly number[], sum: number): MetricObject {
  const name = "gatehouse_check_duration_seconds";
  let count = 0;
  const values = [...bounds, "+Inf"].map((le, i) => {
    count += buckets[i] ?? 0;
    return { metricName: `${name}_bucket`, value: count, labels: { le } };
  });
  const totals = [
    { metricName: `${name}_sum`, value: sum, labels: {} },
    { metricName: `${name}_count`, value: count, labels: {} },
  ];
  return metricObject({
    name,
    help: "Time from the decoded request to its decision.",
    type: "histogram",
    values: [...values, ...totals],
  });
}
