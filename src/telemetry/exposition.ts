import { AggregatorRegistry, type MetricObject, Registry } from "prom-client";

/** The content type of `renderMetrics`. */
export const METRICS_CONTENT_TYPE: string = Registry.PROMETHEUS_CONTENT_TYPE;

/** Prometheus' text form of the metrics of one or more processes; counters and histograms are added up. */
export function renderMetrics(processes: readonly (readonly MetricObject[])[]): Promise<string> {
  return AggregatorRegistry.aggregate(
    processes as unknown as Parameters<typeof AggregatorRegistry.aggregate>[0],
  ).metrics();
}

/** A metric that this program counts itself. */
export interface OwnMetric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "histogram";
  readonly values: readonly { readonly value: number; readonly labels: Readonly<Record<string, string>> }[];
}

/** As prom-client's own JSON has it, whose typings lack the values; summed over processes. */
export function metricObject(metric: OwnMetric): MetricObject {
  return { ...metric, aggregator: "sum" } as unknown as MetricObject;
}
