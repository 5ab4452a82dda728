import { compileExpression } from "../expressions/index.js";
import type { FamilyDefinition, SeriesStore } from "../series/index.js";
import type { Metric } from "./metric.js";
import type { LabelValue } from "./metric-label.js";
import type { Recorder, ReportInput } from "./plan.js";
import type { Report } from "./report.js";
import { reportVocabulary } from "./vocabulary.js";

/** Where an expression stands that failed for a report. */
export type ExpressionUse = "match" | "value" | "filter";

/** Is told what expressions over reports could not do. Must not throw. */
export interface ReportObserver {
  /** `resource`: `Metric NAMESPACE/NAME` or `Telemetry NAMESPACE/NAME`. */
  expressionFailed(resource: string, use: ExpressionUse): void;
  /** A counter was to be lowered. */
  valueRefused(resource: string): void;
}

/** What holds for a Metric that does not say it. */
export interface MetricLimits {
  /** Undefined: never. */
  readonly expiryMs: number | undefined;
  readonly maxValues: number;
  readonly maxSeries: number;
}

/** What Metrics are made with. */
export interface MetricPorts {
  readonly store: SeriesStore;
  readonly observer: ReportObserver;
  readonly limits: MetricLimits;
  readonly inputOf: (report: Report) => ReportInput;
  /** Never throws. */
  readonly labelOf: (source: string) => LabelValue;
}

/** What counts reports into a Metric. It never throws: what cannot be counted is told to the observer. */
export function compileMetric(metric: Metric, ports: MetricPorts): Recorder {
  const resource = `Metric ${metric.namespace}/${metric.name}`;
  const { observer, inputOf, labelOf } = ports;
  const record = familyOf(metric, ports);
  const match =
    metric.match === undefined ? undefined : compileExpression(metric.match, "bool", reportVocabulary);
  const value =
    metric.value === undefined ? undefined : compileExpression(metric.value, "number", reportVocabulary);
  const labels = metric.labels.map(([, source]) => labelOf(source));
  const texts = labels.map(() => "");
  const onlyRises = metric.type === "COUNTER";
  const events = new Set(metric.events);
  return (report) => {
    if (!events.has(report.event)) return;
    const input = inputOf(report);
    let number = 1;
    try {
      if (match !== undefined && !match.evaluate(input)) return;
    } catch {
      observer.expressionFailed(resource, "match");
      return;
    }
    try {
      if (value !== undefined) number = value.evaluate(input);
    } catch {
      observer.expressionFailed(resource, "value");
      return;
    }
    if (onlyRises && number < 0) {
      observer.valueRefused(resource);
      return;
    }
    for (const [i, label] of labels.entries()) texts[i] = label(report);
    record(texts, number);
  };
}

/** The same family for the same document, so that a new load goes on counting. */
function familyOf(
  metric: Metric,
  { store, limits }: MetricPorts,
): (labels: readonly string[], value: number) => void {
  const { expiryMs = limits.expiryMs, maxSeries, maxValuesPerLabel } = metric;
  const definition: FamilyDefinition = {
    name: metric.series,
    help: metric.help,
    labels: metric.labels.map(([name]) => name),
    expiryMs: expiryMs === "never" ? undefined : expiryMs,
    maxValues: maxValuesPerLabel ?? limits.maxValues,
    maxSeries: maxSeries ?? limits.maxSeries,
  };
  switch (metric.type) {
    case "COUNTER": {
      const family = store.counter(definition);
      return (labels, value) => family.add(labels, value);
    }
    case "UP_DOWN_COUNTER": {
      const family = store.gauge(definition);
      return (labels, value) => family.add(labels, value);
    }
    case "GAUGE": {
      const family = store.gauge(definition);
      return (labels, value) => family.set(labels, value);
    }
    case "HISTOGRAM": {
      const family = store.histogram(definition, metric.buckets);
      return (labels, value) => family.observe(labels, value);
    }
  }
}
