import { codes, type Finding, finding, hasErrors, type Path, show } from "../diagnostics/index.js";
import {
  asFields,
  type Fields,
  nameOf,
  type Parsed,
  parseDurationMs,
  type ResourceDocument,
  readFields,
  readList,
  readSelector,
  readText,
  wrongType,
} from "../documents/index.js";
import type { Metric, MetricType } from "./metric.js";
import { readBuckets } from "./metric-buckets.js";
import { checkLabelName, readLabelExpression, readReportExpression } from "./metric-expression.js";
import type { ReportEvent } from "./report.js";
import type { WorkloadMode } from "./telemetry.js";

const fields: ReadonlySet<string> = new Set([
  "selector",
  "type",
  "name",
  "help",
  "value",
  "labels",
  "match",
  "mode",
  "events",
  "buckets",
  "expiry",
  "maxSeries",
  "maxValuesPerLabel",
]);

const types: readonly [MetricType, ...MetricType[]] = ["COUNTER", "UP_DOWN_COUNTER", "GAUGE", "HISTOGRAM"];
const modes: readonly [WorkloadMode, ...WorkloadMode[]] = ["CLIENT_AND_SERVER", "CLIENT", "SERVER"];
const events: readonly ReportEvent[] = ["open", "continue", "close"];

/** Each multiplies the series. */
const MAX_LABELS = 20;
const MAX_HELP = 500;

/**
 * Parses a `gatehouse.dev` Metric. Whether its name is another's is not checked: see `metricClashes`.
 *
 * @example
 * ```yaml
 * apiVersion: gatehouse.dev/v1alpha1
 * kind: Metric
 * metadata: {name: orders-by-plan, namespace: shop}
 * spec:
 *   type: COUNTER
 *   name: shop_orders_total
 *   match: request.method == 'POST' && response.code == 201
 *   labels: {plan: "request.headers['x-plan']"}
 * ```
 */
export function parseMetric(document: ResourceDocument): Parsed<Metric> {
  const at: Path = ["spec"];
  const out: Finding[] = [];
  const spec = asFields(document.spec ?? {}, at, out, fields);
  if (spec === undefined) return { spec: undefined, findings: out };
  const type = readEnum(spec, "type", types, out);
  const metric: Metric = {
    namespace: document.namespace,
    name: document.name,
    selector: readSelector(spec, at, out),
    type,
    series: readName(spec, type, document.name, out),
    help: readHelp(spec, document, out),
    value: readValue(spec, type, out),
    labels: readLabels(spec, out),
    match:
      spec["match"] === undefined
        ? undefined
        : readReportExpression(spec["match"], "bool", ["spec", "match"], out),
    mode: readEnum(spec, "mode", modes, out),
    events: readEvents(spec, out),
    buckets: type === "HISTOGRAM" ? readBuckets(spec, at, out) : [],
    expiryMs: readExpiry(spec, out),
    maxSeries: readWhole(spec, "maxSeries", 100_000, out),
    maxValuesPerLabel: readWhole(spec, "maxValuesPerLabel", 10_000, out),
  };
  if (type !== "HISTOGRAM" && spec["buckets"] !== undefined) {
    const message = `\`buckets\` stands beside type \`${type}\`, expected it with HISTOGRAM only`;
    out.push(finding(codes.conflictingFields, ["spec", "buckets"], message));
  }
  return { spec: hasErrors(out) ? undefined : metric, findings: out };
}

/** What others' series begin with. */
const reserved = ["istio_", "gatehouse_", "process_", "nodejs_"] as const;

function readName(spec: Fields, type: MetricType, document: string, out: Finding[]): string {
  const at: Path = ["spec", "name"];
  const given = readText(spec, "name", ["spec"], out);
  if (spec["name"] !== undefined && given === undefined) return "";
  const name = given ?? document.replace(/[-.]/g, "_");
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    const message = `${show(name)} is no metric's name, expected letters, digits and \`_\`, for example \`shop_orders_total\``;
    out.push(finding(codes.invalidName, at, message));
    return name;
  }
  const taken = reserved.find((prefix) => name.startsWith(prefix));
  if (taken !== undefined) {
    out.push(finding(codes.invalidName, at, `${show(name)} begins with \`${taken}\`, which is not free`));
  }
  const isTotal = name.endsWith("_total");
  if (isTotal !== (type === "COUNTER")) {
    const message = isTotal
      ? `${show(name)} ends with \`_total\`, as only counters do`
      : `${show(name)} is a counter, expected a name that ends with \`_total\``;
    out.push(finding(codes.metricNaming, at, message));
  }
  return name;
}

function readHelp(spec: Fields, { namespace, name }: ResourceDocument, out: Finding[]): string {
  const help = readText(spec, "help", ["spec"], out) ?? `Metric ${namespace}/${name}.`;
  if (help.length > MAX_HELP) {
    const message = `\`help\` has ${help.length} characters, expected at most ${MAX_HELP}`;
    out.push(finding(codes.tooMany, ["spec", "help"], message));
  }
  return help;
}

/** A number is as good as the text of one. */
function readValue(spec: Fields, type: MetricType, out: Finding[]): string | undefined {
  const at: Path = ["spec", "value"];
  const given = spec["value"];
  if (given === undefined) {
    if (type === "GAUGE" || type === "HISTOGRAM") out.push(wrongType(undefined, at, "a CEL expression"));
    return undefined;
  }
  if (typeof given === "number" && Number.isFinite(given)) {
    if (type === "COUNTER" && given < 0) {
      out.push(finding(codes.invalidValue, at, `\`value\` is ${given}, expected 0 or more for a COUNTER`));
    }
    return String(given);
  }
  return readReportExpression(given, "number", at, out);
}

function readLabels(spec: Fields, out: Finding[]): Metric["labels"] {
  const at: Path = ["spec", "labels"];
  const labels = Object.entries(readFields(spec, "labels", ["spec"], out) ?? {});
  if (labels.length > MAX_LABELS) {
    const message = `\`labels\` has ${labels.length} items, expected at most ${MAX_LABELS}`;
    out.push(finding(codes.tooMany, at, message));
  }
  return labels.flatMap(([name, value]) => {
    const isName = checkLabelName(name, [...at, name], out);
    const source = readLabelExpression(value, [...at, name], out);
    return isName && source !== undefined ? [[name, source] as const] : [];
  });
}

function readEvents(spec: Fields, out: Finding[]): readonly ReportEvent[] {
  const at: Path = ["spec", "events"];
  const given = readList(spec, "events", ["spec"], out);
  if (given === undefined) return ["close"];
  if (given.length === 0) {
    out.push(finding(codes.emptyValue, at, `\`events\` is empty, expected some of ${events.join(", ")}`));
  }
  for (const [i, item] of given.entries()) {
    if (events.includes(item as ReportEvent)) continue;
    out.push(
      typeof item === "string"
        ? finding(
            codes.wrongEnum,
            [...at, i],
            `unknown event ${show(item)}, expected one of ${events.join(", ")}`,
          )
        : wrongType(item, [...at, i], `one of ${events.join(", ")}`),
    );
  }
  return events.filter((event) => given.includes(event));
}

function readExpiry(spec: Fields, out: Finding[]): Metric["expiryMs"] {
  const text = readText(spec, "expiry", ["spec"], out);
  if (text === undefined || text === "never") return text;
  const ms = parseDurationMs(text);
  if (ms === undefined) {
    const message = `duration ${show(text)} cannot be read, expected for example \`10m\`, or \`never\``;
    out.push(finding(codes.invalidValue, ["spec", "expiry"], message));
  }
  return ms;
}

function readWhole(spec: Fields, name: string, most: number, out: Finding[]): number | undefined {
  const value = spec[name];
  const at: Path = ["spec", name];
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most) return value;
  out.push(
    typeof value === "number"
      ? finding(codes.invalidValue, at, `${nameOf(at)} is ${value}, expected 1 to ${most}`)
      : wrongType(value, at, "a whole number"),
  );
  return undefined;
}

/** The first when absent. */
function readEnum<Name extends string>(
  spec: Fields,
  key: string,
  names: readonly [Name, ...Name[]],
  out: Finding[],
): Name {
  const value = spec[key];
  if (value === undefined) return names[0];
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  const expected = `one of ${names.join(", ")}`;
  out.push(
    typeof value === "string"
      ? finding(codes.wrongEnum, ["spec", key], `unknown ${key} ${show(value)}, expected ${expected}`)
      : wrongType(value, ["spec", key], expected),
  );
  return names[0];
}
