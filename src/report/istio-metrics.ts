import type {
  Counter,
  CounterFamily,
  FamilyDefinition,
  Histogram,
  HistogramFamily,
  SeriesStore,
} from "../series/index.js";
import { createLabelSets, type LabelSets } from "./istio-label-sets.js";
import { istioLabels } from "./istio-labels.js";
import { type MetricShape, type StandardMetric, shapes } from "./istio-shapes.js";
import type { Recorder } from "./plan.js";
import type { Report } from "./report.js";

export { istioMetricNames, type StandardMetric } from "./istio-shapes.js";

/** The Prometheus name of each standard metric, and its labels in the order of Istio's filter. */
export const istioMetrics: ReadonlyMap<
  StandardMetric,
  { readonly name: string; readonly labels: readonly string[] }
> = new Map(
  (Object.keys(shapes) as StandardMetric[]).map((metric) => {
    const { name, kind } = shapes[metric];
    return [metric, { name, labels: istioLabels[kind] }];
  }),
);

/** What becomes of one label: taken away, or given another value. A label that Istio has not is added. */
export type TagOverride = { readonly remove: true } | { readonly value: (report: Report) => string };

/** What a Telemetry says of one standard metric, for one side. */
export interface MetricOverride {
  readonly disabled: boolean;
  /** By the label's name. */
  readonly tagOverrides: ReadonlyMap<string, TagOverride>;
}

/** Bounds of the standard metrics. */
export interface StandardMetricOptions {
  /**
   * Milliseconds; undefined: never, as Istio has it. A series that comes back goes on where it was, so that `rate()`
   * stays right; but `increase()` over a window that begins in its absence misses what came first.
   */
  readonly expiryMs: number | undefined;
  /** Different values of one label. */
  readonly maxValues: number;
  /** Series of one counter. */
  readonly maxSeries: number;
  /** Series of one histogram, each of which is shown in 21 lines of some 700 bytes. */
  readonly maxHistogramSeries: number;
}

/**
 * A mesh of 1,000 workloads and 5,000 edges between them; at its worst 160 MB for a scrape, which an attacker who
 * invents hosts, principals and flags can bring about but not exceed.
 */
export const defaultStandardMetricOptions: StandardMetricOptions = {
  expiryMs: undefined,
  maxValues: 1000,
  maxSeries: 10_000,
  maxHistogramSeries: 2000,
};

/** Labels whose values come from small sets, when nobody lies. */
const maxValuesOf: ReadonlyMap<string, number> = new Map([
  ["response_code", 200],
  ["grpc_response_status", 32],
  ["response_flags", 100],
]);

/** Istio's standard metrics in one store. */
export interface StandardMetrics {
  /** What counts one metric of one proxy; of a disabled one, nothing. For reports of either side. */
  compile(metric: StandardMetric, override: MetricOverride): Recorder;
}

type Family =
  | { readonly type: "counter"; readonly family: CounterFamily }
  | { readonly type: "histogram"; readonly family: HistogramFamily };
type Series = Counter | Histogram;

/** What all recorders of one store share. */
interface Shared {
  readonly families: ReadonlyMap<StandardMetric, Family>;
  readonly sets: LabelSets<Series>;
  /** A number for each way to take labels from a metric. */
  readonly slots: Map<string, number>;
}

const sharedOf = new WeakMap<SeriesStore, Shared>();

/**
 * Recorders of the same store share the look-up of labels, made by an earlier call or not: a new configuration finds
 * everything warm. `SeriesStore.retain` has to be given `istioMetricNames`.
 */
export function createIstioMetrics(
  store: SeriesStore,
  options: Partial<StandardMetricOptions> = {},
): StandardMetrics {
  const bounds = { ...defaultStandardMetricOptions, ...options };
  const shared = sharing(store, bounds);
  return {
    compile(metric, { disabled, tagOverrides }) {
      if (disabled) return () => undefined;
      const shape = shapes[metric];
      const labels = istioLabels[shape.kind];
      const family = shared.families.get(metric);
      const given = [...tagOverrides].flatMap(([name, tag]) =>
        "value" in tag ? [[name, tag.value] as const] : [],
      );
      const removed = labels.filter((label) => {
        const tag = tagOverrides.get(label);
        return tag !== undefined && "remove" in tag;
      });
      if (given.length > 0 || family === undefined)
        return recomputing(store, { shape, bounds, removed, given });
      return remembering(shared, { metric, shape, family, removed });
    },
  };
}

function sharing(store: SeriesStore, bounds: StandardMetricOptions): Shared {
  const metrics = Object.keys(shapes) as StandardMetric[];
  const families = new Map(
    metrics.map((metric) => [metric, familyOf(store, shapes[metric], definitionOf(shapes[metric], bounds))]),
  );
  const known = sharedOf.get(store);
  // Another family under the same name: the store forgot the first, and what was found in it counts for nobody.
  if (
    known !== undefined &&
    metrics.every((one) => known.families.get(one)?.family === families.get(one)?.family)
  ) {
    return known;
  }
  const shared = { families, sets: createLabelSets<Series>(), slots: new Map<string, number>() };
  sharedOf.set(store, shared);
  return shared;
}

function definitionOf(
  { name, help, kind, buckets }: MetricShape,
  bounds: StandardMetricOptions,
): FamilyDefinition {
  return {
    name,
    help,
    labels: istioLabels[kind],
    expiryMs: bounds.expiryMs,
    maxValues: bounds.maxValues,
    maxValuesOf,
    maxSeries: buckets === undefined ? bounds.maxSeries : bounds.maxHistogramSeries,
  };
}

function familyOf(store: SeriesStore, { buckets }: MetricShape, definition: FamilyDefinition): Family {
  if (buckets === undefined) return { type: "counter", family: store.counter(definition) };
  return { type: "histogram", family: store.histogram(definition, buckets) };
}

interface Remembered {
  readonly metric: StandardMetric;
  readonly shape: MetricShape;
  readonly family: Family;
  readonly removed: readonly string[];
}

/** Of labels that follow from the parties and a few facts: the series is found once for each set of them. */
function remembering({ sets, slots }: Shared, { metric, shape, family, removed }: Remembered): Recorder {
  const slotText = [metric, ...removed].join(" ");
  const slot = slots.get(slotText) ?? slots.size;
  slots.set(slotText, slot);
  const { kind, amountOf } = shape;
  const isRemoved = istioLabels[kind].map((label) => removed.includes(label));
  const without = (values: readonly string[]): readonly string[] =>
    removed.length === 0 ? values : values.map((value, i) => (isRemoved[i] ? "" : value));
  return (report) => {
    const amount = amountOf(report);
    if (amount === undefined) return;
    const { values, held, isKnown } = sets.of(report, kind);
    let series = held.get(slot);
    if (series === undefined) {
      if (!isKnown) {
        record(family, without(values), amount);
        return;
      }
      series = family.family.at(without(values));
      held.set(slot, series);
    }
    if ("add" in series) series.add(amount);
    else series.observe(amount);
  };
}

function record({ type, family }: Family, values: readonly string[], amount: number): void {
  if (type === "counter") family.add(values, amount);
  else family.observe(values, amount);
}

interface Recomputed {
  readonly shape: MetricShape;
  readonly bounds: StandardMetricOptions;
  readonly removed: readonly string[];
  readonly given: readonly (readonly [label: string, value: (report: Report) => string])[];
}

/** Of labels of which one is an expression's value: found anew for each report. */
function recomputing(store: SeriesStore, { shape, bounds, removed, given }: Recomputed): Recorder {
  const { kind, amountOf } = shape;
  // One of Istio's labels that this metric has not is not added to it, as in Istio's filter.
  const added = given.map(([label]) => label).filter((label) => !istioLabels.http.includes(label));
  const labels = [...istioLabels[kind], ...added.sort()];
  const definition = definitionOf(shape, bounds);
  const variant = added.join(" ");
  const family = familyOf(store, shape, variant === "" ? definition : { ...definition, labels, variant });
  const values = given
    .map(([label, value]) => ({ index: labels.indexOf(label), value }))
    .filter(({ index }) => index >= 0);
  const taken = removed.map((label) => labels.indexOf(label));
  const { sets } = sharing(store, bounds);
  return (report) => {
    const amount = amountOf(report);
    if (amount === undefined) return;
    const tuple = [...sets.of(report, kind).values];
    for (const index of taken) tuple[index] = "";
    for (const { index, value } of values) tuple[index] = textOf(value, report);
    record(family, tuple, amount);
  };
}

/** Istio's filter too says `unknown` where an expression fails. */
function textOf(value: (report: Report) => string, report: Report): string {
  try {
    return value(report);
  } catch {
    return "unknown";
  }
}
