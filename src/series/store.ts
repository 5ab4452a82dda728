import type { MetricObject } from "prom-client";
import { createFamily, type Family } from "./family.js";
import type {
  CounterFamily,
  FamilyDefinition,
  GaugeFamily,
  HistogramFamily,
  SeriesMetric,
  SeriesStore,
} from "./series.js";
import { storeMetrics } from "./store-metrics.js";

type Type = SeriesMetric["type"];

/** A family as the store keeps it. */
interface Held {
  readonly type: Type;
  /** Of a histogram, else empty. */
  readonly bounds: readonly number[];
  readonly family: Family;
  /** What the store gives out: the same one each time. */
  readonly recorder: CounterFamily | GaugeFamily | HistogramFamily;
  /** Asked for since the last `retain`. */
  isAskedFor: boolean;
}

export interface SeriesStoreOptions {
  /** Milliseconds; never goes back. */
  readonly now: () => number;
}

/**
 * The series of one process. Bounds are each process's own: a sum over N processes may have N times as many.
 * Recording looks one text up in a Map; of a series that is held with `at`, nothing.
 */
export function createSeriesStore({ now }: SeriesStoreOptions): SeriesStore {
  const held = new Map<string, Held>();

  /** The family of the definition. `make` gives what records into it. */
  function holding<R extends Held["recorder"]>(
    definition: FamilyDefinition,
    type: Type,
    bounds: readonly number[],
    make: (family: Family) => R,
  ): R {
    const id = `${definition.name} ${definition.variant ?? ""}`;
    const known = held.get(id);
    if (known !== undefined && known.type === type && isSame(known, definition, bounds)) {
      known.family.redefine(definition);
      known.isAskedFor = true;
      return known.recorder as R;
    }
    const bucketCount = type === "histogram" ? bounds.length + 1 : 0;
    const family = createFamily(definition, { now, bucketCount, keepsExpired: type !== "gauge" });
    const recorder = make(family);
    held.set(id, { type, bounds, family, recorder, isAskedFor: true });
    return recorder;
  }

  return {
    counter: (definition) => holding(definition, "counter", [], counterOf),
    gauge: (definition) => holding(definition, "gauge", [], gaugeOf),
    histogram(definition, buckets) {
      const bounds = [...new Set(buckets)].filter(Number.isFinite).sort((a, b) => a - b);
      return holding(definition, "histogram", bounds, (family) => histogramOf(family, bounds));
    },
    retain(names) {
      for (const [id, one] of held) {
        const isForgotten = one.family.definition.variant !== undefined && !one.isAskedFor;
        if (isForgotten || !names.has(one.family.definition.name)) held.delete(id);
        one.isAskedFor = false;
      }
    },
    size: () => [...held.values()].reduce((sum, { family }) => sum + family.size, 0),
    values() {
      for (const { family } of held.values()) family.expire();
      const metrics = [...held.values()].map(metricOf).filter(({ rows }) => rows.length > 0);
      const own = storeMetrics([...held.values()].map(({ family }) => family));
      // Its typings lack what every value of prom-client's own has too, and have a function that plain data have not.
      return [...metrics, ...own] as unknown as MetricObject[];
    },
  };
}

function isSame({ family, bounds }: Held, definition: FamilyDefinition, next: readonly number[]): boolean {
  return isEqual(family.definition.labels, definition.labels) && isEqual(bounds, next);
}

function isEqual<T>(one: readonly T[], other: readonly T[]): boolean {
  return one.length === other.length && one.every((value, i) => value === other[i]);
}

function counterOf(family: Family): CounterFamily {
  return {
    add(values, by) {
      if (by >= 0 && by < Number.POSITIVE_INFINITY) family.find(values).value += by;
    },
    at(values) {
      const series = family.at(values);
      return {
        add(by) {
          if (by >= 0 && by < Number.POSITIVE_INFINITY) series().value += by;
        },
      };
    },
  };
}

function gaugeOf(family: Family): GaugeFamily {
  return {
    set(values, to) {
      if (Number.isFinite(to)) family.find(values).value = to;
    },
    add(values, by) {
      if (Number.isFinite(by)) family.find(values).value += by;
    },
  };
}

function histogramOf(family: Family, bounds: readonly number[]): HistogramFamily {
  const bucketOf = (value: number): number => {
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1;
    return bucket;
  };
  const observe = (series: ReturnType<Family["find"]>, value: number): void => {
    const { buckets } = series;
    if (buckets === undefined) return;
    const bucket = bucketOf(value);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    series.value += value;
  };
  return {
    observe(values, value) {
      if (Number.isFinite(value)) observe(family.find(values), value);
    },
    at(values) {
      const series = family.at(values);
      return {
        observe(value) {
          if (Number.isFinite(value)) observe(series(), value);
        },
      };
    },
  };
}

function metricOf({ type, bounds, family }: Held): SeriesMetric {
  const { name, help, labels } = family.definition;
  return {
    name,
    help,
    type,
    aggregator: "sum",
    labelNames: labels,
    ...(type === "histogram" ? { bounds } : {}),
    rows: family.rows(),
  };
}
