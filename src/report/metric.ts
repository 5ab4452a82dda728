import type { Selector } from "../documents/index.js";
import type { ReportEvent } from "./report.js";
import type { WorkloadMode } from "./telemetry.js";

/**
 * `COUNTER`: adds what is not negative. `UP_DOWN_COUNTER`: adds anything, and is a gauge to Prometheus.
 * `GAUGE`: sets; with several workers the sum of what each has set. `HISTOGRAM`: sorts into buckets.
 */
export type MetricType = "COUNTER" | "UP_DOWN_COUNTER" | "GAUGE" | "HISTOGRAM";

/** A Metric document: plain data that survives a structured clone. */
export interface Metric {
  readonly namespace: string;
  readonly name: string;
  /** Of proxies' workloads: whose reports are counted. */
  readonly selector: Selector | undefined;
  readonly type: MetricType;
  /** As Prometheus has it. */
  readonly series: string;
  readonly help: string;
  /** CEL that gives a number; undefined: 1. */
  readonly value: string | undefined;
  /** Each with CEL that gives a text, a number or a boolean. */
  readonly labels: readonly (readonly [name: string, value: string])[];
  /** CEL that gives a boolean; undefined: every report. */
  readonly match: string | undefined;
  readonly mode: WorkloadMode;
  readonly events: readonly ReportEvent[];
  /** Upper bounds, without infinity; empty for other types than HISTOGRAM. */
  readonly buckets: readonly number[];
  /** Undefined: the server's own. `never`: series stay. */
  readonly expiryMs: number | "never" | undefined;
  /** Undefined: the server's own. */
  readonly maxSeries: number | undefined;
  readonly maxValuesPerLabel: number | undefined;
}

/** A Metric whose series another one gives already. */
export interface MetricClash {
  readonly metric: Metric;
  readonly other: Metric;
  readonly series: string;
}

/** Metrics, in the order of namespaces and names, that give series of the same name as one before. */
export function metricClashes(sorted: readonly Metric[]): readonly MetricClash[] {
  const taken = new Map<string, Metric>();
  return sorted.flatMap((metric) => {
    const names = seriesOf(metric);
    const series = names.find((name) => taken.has(name));
    for (const name of names) if (!taken.has(name)) taken.set(name, metric);
    const other = series === undefined ? undefined : taken.get(series);
    return series === undefined || other === undefined ? [] : [{ metric, other, series }];
  });
}

function seriesOf({ type, series }: Metric): readonly string[] {
  return type === "HISTOGRAM" ? [series, `${series}_bucket`, `${series}_sum`, `${series}_count`] : [series];
}
