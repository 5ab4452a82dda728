import type { MetricObject } from "prom-client";
import type { MetricDefinition } from "./definition.js";
import { metricObject } from "./exposition.js";

/** A series: its labels' values, in the order of the definition. */
interface Series<T> {
  readonly labels: readonly string[];
  readonly held: T;
}

/** Counts, or gauges. */
export interface NumberFamily {
  /** `labels` in the order of the definition. */
  add(by: number, ...labels: readonly string[]): void;
  set(to: number, ...labels: readonly string[]): void;
  remove(...labels: readonly string[]): void;
  /** Forgets all series; one without labels begins at 0 again. */
  reset(): void;
  object(): MetricObject;
}

/** A distribution for each combination of labels. */
export interface HistogramFamily {
  observe(value: number, ...labels: readonly string[]): void;
  object(): MetricObject;
}

/** In no name of a resource, issuer or provider. */
const separator = "\u0000";

function keyOf(labels: readonly string[]): string {
  return labels.length === 1 ? (labels[0] ?? "") : labels.join(separator);
}

/**
 * Plain numbers, made into prom-client's form only when asked: its own counter builds a key from the labels' names and
 * values at every call, which was the larger part of what observing a check cost. Bounding the values is for the caller.
 */
export function createNumberFamily(definition: MetricDefinition): NumberFamily {
  const all = new Map<string, Series<{ value: number }>>();
  const at = (labels: readonly string[]): { value: number } => {
    const key = keyOf(labels);
    let series = all.get(key);
    if (series === undefined) {
      series = { labels, held: { value: 0 } };
      all.set(key, series);
    }
    return series.held;
  };
  const begin = (): void => {
    if (definition.labels.length === 0) at([]);
    const [label] = definition.labels;
    if (definition.startsAtZero !== true || typeof label?.values !== "object") return;
    for (const value of label.values) at([value]);
  };
  begin();
  return {
    add(by, ...labels) {
      at(labels).value += by;
    },
    set(to, ...labels) {
      at(labels).value = to;
    },
    remove: (...labels) => {
      all.delete(keyOf(labels));
    },
    reset() {
      all.clear();
      begin();
    },
    object: () =>
      metricObject({
        ...described(definition),
        values: [...all.values()].map(({ labels, held }) => ({
          value: held.value,
          labels: named(definition, labels),
        })),
      }),
  };
}

/** The same for distributions. */
export function createHistogramFamily(definition: MetricDefinition): HistogramFamily {
  const { name, buckets: bounds = [] } = definition;
  const all = new Map<string, Series<{ readonly counts: number[]; sum: number }>>();
  const at = (labels: readonly string[]): { readonly counts: number[]; sum: number } => {
    const key = keyOf(labels);
    let series = all.get(key);
    if (series === undefined) {
      series = { labels, held: { counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 } };
      all.set(key, series);
    }
    return series.held;
  };
  if (definition.labels.length === 0) at([]);
  return {
    observe(value, ...labels) {
      const held = at(labels);
      let bucket = 0;
      while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1;
      held.counts[bucket] = (held.counts[bucket] ?? 0) + 1;
      held.sum += value;
    },
    object: () =>
      metricObject({
        ...described(definition),
        values: [...all.values()].flatMap(({ labels, held: { counts, sum } }) => {
          const own = named(definition, labels);
          let count = 0;
          const rows = [...bounds, "+Inf"].map((le, i) => {
            count += counts[i] ?? 0;
            return { metricName: `${name}_bucket`, value: count, labels: { le, ...own } };
          });
          const totals = [
            { metricName: `${name}_sum`, value: sum, labels: own },
            { metricName: `${name}_count`, value: count, labels: own },
          ];
          return [...rows, ...totals];
        }),
      }),
  };
}

function described({ name, help, type }: MetricDefinition): Pick<MetricDefinition, "name" | "help" | "type"> {
  return { name, help, type };
}

function named({ labels }: MetricDefinition, values: readonly string[]): Record<string, string> {
  return Object.fromEntries(labels.map(({ name }, i) => [name, values[i] ?? ""]));
}
