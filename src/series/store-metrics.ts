import type { Family } from "./family.js";
import type { SeriesMetric, SeriesRow } from "./series.js";

/** What the store tells of itself. Its labels are names of metrics and of labels, which configuration bounds. */
export function storeMetrics(families: readonly Family[]): SeriesMetric[] {
  const limited = families.flatMap((family) =>
    [...family.limited].map(
      ([label, value]): SeriesRow => ({ labels: [family.definition.name, label], value }),
    ),
  );
  const expired = families
    .filter((family) => family.expired > 0)
    .map((family): SeriesRow => ({ labels: [family.definition.name], value: family.expired }));
  const size = families.map(
    (family): SeriesRow => ({ labels: [family.definition.name], value: family.size }),
  );
  const metrics: SeriesMetric[] = [
    {
      name: "gatehouse_series",
      help: "Series of a metric that are held; over all processes, each of which has its own.",
      type: "gauge",
      aggregator: "sum",
      labelNames: ["metric"],
      rows: size,
    },
    {
      name: "gatehouse_series_limited_total",
      help: "Values counted as `other` since a label had too many, or (label `*`) the metric too many series.",
      type: "counter",
      aggregator: "sum",
      labelNames: ["metric", "label"],
      rows: limited,
    },
    {
      name: "gatehouse_series_expired_total",
      help: "Series forgotten since they got nothing for their metric's expiry.",
      type: "counter",
      aggregator: "sum",
      labelNames: ["metric"],
      rows: expired,
    },
  ];
  return metrics.filter(({ rows }) => rows.length > 0);
}
