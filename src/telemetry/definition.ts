/** A label, and what values it may have: a closed set, or in words where they come from (Markdown). */
export interface LabelDefinition {
  readonly name: string;
  readonly values: readonly string[] | string;
}

/** A metric of Gatehouse: what it counts with, what it shows, and its row in `docs/metrics.md`. */
export interface MetricDefinition {
  /** With its unit at the end: `_seconds`, `_bytes`. */
  readonly name: string;
  /** `untyped`: a counter whose name, which is another's, Prometheus takes for none. */
  readonly type: "counter" | "gauge" | "histogram" | "untyped";
  /** One sentence, without Markdown. */
  readonly help: string;
  readonly labels: readonly LabelDefinition[];
  /** Upper bounds, in the unit of the name; of histograms only. */
  readonly buckets?: readonly number[];
  /** Its one label's values are shown from the start, with 0. */
  readonly startsAtZero?: boolean;
  /** What the page says beside `help`, in Markdown. */
  readonly more?: string;
}

/** A part of the catalogue. */
export interface MetricChapter {
  readonly title: string;
  readonly metrics: readonly MetricDefinition[];
}
