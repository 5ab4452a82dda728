import { AggregatorRegistry, type MetricObject, Registry } from "prom-client";

/** The content type of `renderMetrics`. */
export const METRICS_CONTENT_TYPE: string = Registry.PROMETHEUS_CONTENT_TYPE;

/** Prometheus' text form of the metrics of one or more processes; counters and histograms are added up. */
export function renderMetrics(processes: readonly (readonly MetricObject[])[]): Promise<string> {
  return AggregatorRegistry.aggregate(
    processes as unknown as Parameters<typeof AggregatorRegistry.aggregate>[0],
  ).metrics();
}
