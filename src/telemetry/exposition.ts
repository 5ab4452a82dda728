import { AggregatorRegistry, type MetricObject, Registry } from "prom-client";
import type { SeriesMetric } from "../series/index.js";
import { renderSeries } from "./series-exposition.js";

/** The content type of `renderMetrics`. */
export const METRICS_CONTENT_TYPE: string = Registry.PROMETHEUS_CONTENT_TYPE;

/** `metricPieces` as one text, which for a large mesh is too long to be made at once beside decisions. */
export async function renderMetrics(
  processes: readonly (readonly MetricObject[])[],
  pause?: () => Promise<void>,
): Promise<string> {
  const pieces: string[] = [];
  for await (const piece of metricPieces(processes, pause)) pieces.push(piece);
  return pieces.join("");
}

/**
 * Prometheus' text form of the metrics of one or more processes; counters and histograms are added up. `pause` is waited
 * for every few milliseconds: thousands of series take longer than a check may wait.
 */
export async function* metricPieces(
  processes: readonly (readonly MetricObject[])[],
  pause: () => Promise<void> = () => Promise.resolve(),
): AsyncGenerator<string, void, void> {
  const own = processes.map((metrics) => metrics.filter((metric) => !isSeries(metric)));
  const series = processes.flatMap((metrics) => metrics as readonly unknown[]).filter(isSeries);
  yield await AggregatorRegistry.aggregate(
    own as unknown as Parameters<typeof AggregatorRegistry.aggregate>[0],
  ).metrics();
  for (const piece of renderSeries(series)) {
    if (piece !== "") yield piece;
    await pause();
  }
}

function isSeries(metric: unknown): metric is SeriesMetric {
  return (metric as Partial<SeriesMetric>).rows !== undefined;
}

/** A metric that this program counts itself. */
export interface OwnMetric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram" | "untyped";
  readonly values: readonly {
    readonly value: number;
    readonly labels: Readonly<Record<string, string | number>>;
  }[];
}

/** As prom-client's own JSON has it, whose typings lack the values; summed over processes. */
export function metricObject(metric: OwnMetric): MetricObject {
  return { ...metric, aggregator: "sum" } as unknown as MetricObject;
}
