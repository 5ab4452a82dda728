import { compileMetric, type MetricPorts } from "./custom-metric.js";
import {
  istioMetrics,
  type StandardMetric,
  type StandardMetrics,
  type TagOverride,
} from "./istio-metrics.js";
import { type MergedMetric, type MergedMetrics, type Side, sidesOf } from "./merge-metrics.js";
import type { Metric } from "./metric.js";
import type { Recorder } from "./plan.js";

/** What makes recorders, each once however many plans have it. */
export interface RecorderMaker {
  /** Of Istio's standard metrics; undefined: none is wanted. */
  standard(merged: MergedMetrics | undefined): readonly Recorder[];
  custom(metrics: readonly Metric[], side: Side, without: ReadonlySet<string>): readonly Recorder[];
}

/** Makes a maker; the standard metrics count into the store of the ports, too. */
export function createRecorderMaker(standard: StandardMetrics, ports: MetricPorts): RecorderMaker {
  const byOverride = new Map<string, Recorder>();
  const byMetric = new Map<Metric, Recorder>();
  const standardOf = (metric: StandardMetric, merged: MergedMetric): Recorder => {
    const key = JSON.stringify([metric, [...merged.labels].sort(([a], [b]) => (a < b ? -1 : 1))]);
    const known = byOverride.get(key);
    if (known !== undefined) return known;
    const made = standard.compile(metric, { disabled: false, tagOverrides: tagOverridesOf(merged, ports) });
    byOverride.set(key, made);
    return made;
  };
  const customOf = (metric: Metric): Recorder => {
    const known = byMetric.get(metric);
    if (known !== undefined) return known;
    const made = compileMetric(metric, ports);
    byMetric.set(metric, made);
    return made;
  };
  return {
    standard: (merged) => {
      if (merged === undefined || merged.disabled) return [];
      return [...istioMetrics.keys()].flatMap((metric) => {
        const one = merged.standard.get(metric) ?? untouched;
        return one.disabled ? [] : standardOf(metric, one);
      });
    },
    custom: (metrics, side, without) =>
      metrics
        .filter(({ mode, series }) => sidesOf(mode).includes(side) && !without.has(series))
        .map(customOf),
  };
}

const untouched: MergedMetric = { disabled: false, labels: new Map() };

function tagOverridesOf(
  { labels }: MergedMetric,
  { labelOf }: MetricPorts,
): ReadonlyMap<string, TagOverride> {
  return new Map(
    [...labels].map(([name, change]): [string, TagOverride] => [
      name,
      "remove" in change ? change : { value: labelOf(change.value) },
    ]),
  );
}
