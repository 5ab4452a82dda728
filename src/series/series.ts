import type { MetricObject } from "prom-client";

/** What a family of series is. The same definition gives the same family, so that a reload resets nothing. */
export interface FamilyDefinition {
  /** As Prometheus wants names. */
  readonly name: string;
  /**
   * Tells families of one name with different labels apart, which Prometheus allows; they are shown as one metric.
   * Undefined for the family that most names have alone.
   */
  readonly variant?: string;
  readonly help: string;
  /** An empty value is the same to Prometheus as no label, and is not shown. */
  readonly labels: readonly string[];
  /** Milliseconds after which a series that got nothing is forgotten; undefined: never. */
  readonly expiryMs: number | undefined;
  /** How many different values one label may have; what comes beyond is `other`. */
  readonly maxValues: number;
  /** The same for single labels, where that is not `maxValues`. */
  readonly maxValuesOf?: ReadonlyMap<string, number>;
  /** How many series the family may have; what comes beyond is one series with `other` in every label. */
  readonly maxSeries: number;
}

/** Series that only rise. What is not a finite number of 0 or more is ignored. */
export interface CounterFamily {
  /** `values` in the order of the definition's labels; not kept, so that it may be used again. */
  add(values: readonly string[], by: number): void;
  /** The same series found once: for who counts the same labels often. Stays right when the series expires. */
  at(values: readonly string[]): Counter;
}

/** One series of a family, to count without its labels. */
export interface Counter {
  add(by: number): void;
}

/** Series that are set. What is not finite is ignored. The processes' gauges are added up. */
export interface GaugeFamily {
  set(values: readonly string[], to: number): void;
  add(values: readonly string[], by: number): void;
}

/** Distributions in buckets. What is not finite is ignored. */
export interface HistogramFamily {
  observe(values: readonly string[], value: number): void;
  /** As `CounterFamily.at`. */
  at(values: readonly string[]): Histogram;
}

/** One series of a family of histograms. */
export interface Histogram {
  observe(value: number): void;
}

/** One series as plain data, in the order of its metric's `labelNames`. */
export interface SeriesRow {
  readonly labels: readonly string[];
  /** Of a histogram: the sum of what was observed. */
  readonly value: number;
  /** Of a histogram: how many fell into each bucket alone, the last one beyond every bound. */
  readonly buckets?: readonly number[];
  /**
   * Got nothing for as long as the family's expiry. It is left out unless another process still counts the same
   * series: a sum of which a part went away would look to Prometheus like a counter that began anew.
   */
  readonly expired?: true;
}

/** A family as plain data that other processes' can be added to. Survives JSON. */
export interface SeriesMetric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly aggregator: "sum";
  readonly labelNames: readonly string[];
  /** Of a histogram: upper bounds, ascending, without `+Inf`. */
  readonly bounds?: readonly number[];
  readonly rows: readonly SeriesRow[];
}

/** All series of one process. Recording never throws. */
export interface SeriesStore {
  counter(definition: FamilyDefinition): CounterFamily;
  gauge(definition: FamilyDefinition): GaugeFamily;
  /** `buckets`: upper bounds, without `+Inf`. */
  histogram(definition: FamilyDefinition, buckets: readonly number[]): HistogramFamily;
  /**
   * Forgets every family that `names` has not: its definition is gone. The others keep what they have counted, but
   * for variants that nobody asked for since the last call.
   */
  retain(names: ReadonlySet<string>): void;
  /** How many series are held, expired ones not counted. */
  size(): number;
  /**
   * Forgets what expired, then gives plain data that other processes' can be added to, see `renderMetrics`: each is
   * a `SeriesMetric`, whose rows are a tenth of what prom-client's form of them would be on their way between processes.
   */
  values(): MetricObject[];
}
