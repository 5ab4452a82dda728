import type { SeriesMetric, SeriesRow } from "../series/index.js";

/** One series, added up over the processes. */
interface Sum {
  value: number;
  readonly buckets: number[] | undefined;
  isExpired: boolean;
}

/** All that has one name. */
interface Merged {
  readonly metric: SeriesMetric;
  /** By the text of the labels, as it will be shown: two rows are one series exactly if Prometheus takes them for one. */
  readonly sums: Map<string, Sum>;
}

/**
 * Prometheus' text form of series, added up by name and labels: over processes, and over variants. Written for
 * series by the thousand whose label values are untrusted: prom-client's own sum makes a key of every bucket's labels,
 * in which a value with a comma and a colon can look like two labels. In pieces that take a few milliseconds each, since
 * a large mesh's are 50 MB: whoever joins them may do something else in between.
 */
export function* renderSeries(metrics: readonly SeriesMetric[]): Generator<string> {
  const byName = new Map<string, Merged>();
  for (const metric of metrics) {
    const merged = byName.get(metric.name) ?? { metric, sums: new Map<string, Sum>() };
    byName.set(metric.name, merged);
    // While a new configuration reaches the processes one by one: what cannot be added up is left out.
    if (isSameKind(merged.metric, metric)) addRows(merged.sums, metric);
    yield "";
  }
  for (const merged of byName.values()) yield* textOf(merged);
}

function isSameKind(one: SeriesMetric, other: SeriesMetric): boolean {
  return one.type === other.type && one.bounds?.join() === other.bounds?.join();
}

function addRows(sums: Map<string, Sum>, { labelNames, rows }: SeriesMetric): void {
  const prefixes = labelNames.map((name) => `${name}="`);
  for (const row of rows) {
    const labels = labelText(prefixes, row.labels);
    const sum = sums.get(labels);
    if (sum === undefined) sums.set(labels, sumOf(row));
    else add(sum, row);
  }
}

function sumOf({ value, buckets, expired }: SeriesRow): Sum {
  return { value, buckets: buckets === undefined ? undefined : [...buckets], isExpired: expired === true };
}

function add(sum: Sum, { value, buckets, expired }: SeriesRow): void {
  sum.value += value;
  if (expired !== true) sum.isExpired = false;
  buckets?.forEach((count, i) => {
    if (sum.buckets !== undefined) sum.buckets[i] = (sum.buckets[i] ?? 0) + count;
  });
}

/** Without those that are empty, which to Prometheus is the same as none. */
function labelText(prefixes: readonly string[], values: readonly string[]): string {
  let text = "";
  for (let i = 0; i < prefixes.length; i++) {
    const value = values[i];
    if (value === undefined || value === "") continue;
    text += `${text === "" ? "" : ","}${prefixes[i]}${escaped(value)}"`;
  }
  return text;
}

const special = /[\\\n"]/;

function escaped(value: string): string {
  if (!special.test(value)) return value;
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

/** Of a histogram each series has some 20 lines. */
const LINES_IN_A_PIECE = 1000;

function* textOf({ metric, sums }: Merged): Generator<string> {
  const { name, help, type, bounds } = metric;
  const helpText = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  let lines = ["", `# HELP ${name} ${helpText}`, `# TYPE ${name} ${type}`];
  let isEmpty = true;
  for (const [labels, sum] of sums) {
    if (sum.isExpired) continue;
    isEmpty = false;
    if (bounds === undefined) lines.push(`${name}${braced(labels)} ${sum.value}`);
    else histogramLines(lines, name, bounds, labels, sum);
    if (lines.length < LINES_IN_A_PIECE) continue;
    yield `${lines.join("\n")}\n`;
    lines = [];
  }
  if (!isEmpty && lines.length > 0) yield `${lines.join("\n")}\n`;
}

function histogramLines(
  lines: string[],
  name: string,
  bounds: readonly number[],
  labels: string,
  { value, buckets = [] }: Sum,
): void {
  const prefix = labels === "" ? "" : `${labels},`;
  let count = 0;
  for (const [i, bound] of [...bounds, "+Inf"].entries()) {
    count += buckets[i] ?? 0;
    lines.push(`${name}_bucket{${prefix}le="${bound}"} ${count}`);
  }
  lines.push(`${name}_sum${braced(labels)} ${value}`, `${name}_count${braced(labels)} ${count}`);
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}
