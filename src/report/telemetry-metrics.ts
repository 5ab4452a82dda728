import { codes, type Finding, finding } from "../diagnostics/index.js";
import { fieldOf, type Message, messageEnum, messageText, pathOf } from "../documents/index.js";
import { istioMetrics, type StandardMetric } from "./istio-metrics.js";
import { checkLabelName, readLabelExpression } from "./metric-expression.js";
import type { LabelChange, MetricsOverride, MetricsRule } from "./telemetry.js";
import {
  childOf,
  childrenOf,
  entriesOf,
  readMode,
  readNonEmpty,
  readOptionalFlag,
  readProviders,
  warnWithoutEffect,
} from "./telemetry-read.js";

/** The fields of an entry of `metrics`. */
export const metricsFields: ReadonlySet<string> = new Set(["providers", "overrides", "reportingInterval"]);
const overrideFields: ReadonlySet<string> = new Set(["match", "disabled", "tagOverrides"]);
const matchFields: ReadonlySet<string> = new Set(["metric", "customMetric", "mode"]);
const tagFields: ReadonlySet<string> = new Set(["operation", "value"]);

/** In the order of Istio's enum, in which they stand in the documents' number form. */
const standard: readonly StandardMetric[] = [
  "REQUEST_COUNT",
  "REQUEST_DURATION",
  "REQUEST_SIZE",
  "RESPONSE_SIZE",
  "TCP_OPENED_CONNECTIONS",
  "TCP_CLOSED_CONNECTIONS",
  "TCP_SENT_BYTES",
  "TCP_RECEIVED_BYTES",
  "GRPC_REQUEST_MESSAGES",
  "GRPC_RESPONSE_MESSAGES",
];

/** Reads an entry of `metrics`. */
export function readMetricsRule(message: Message, out: Finding[]): MetricsRule {
  warnWithoutEffect(
    message,
    "reportingInterval",
    "Envoy decides how often it reports, by `access_log_flush_interval`",
    out,
  );
  return {
    providers: readProviders(message, out),
    overrides: childrenOf(message, "overrides", overrideFields, out).map((item) => readOverride(item, out)),
  };
}

function readOverride(message: Message, out: Finding[]): MetricsOverride {
  const match = childOf(message, "match", matchFields, out);
  const { metrics, custom } = match === undefined ? everything : readMetrics(match, out);
  const labels = entriesOf(message, "tagOverrides", tagFields, out).flatMap(([name, tag]) => {
    const change = readChange(tag, out);
    return checkLabelName(name, tag.at, out) && change !== undefined ? [[name, change] as const] : [];
  });
  if (custom !== undefined) {
    warnWithoutEffect(message, "tagOverrides", "labels of a Metric are those of its document", out);
  }
  return {
    metrics,
    custom,
    mode: match === undefined ? "CLIENT_AND_SERVER" : readMode(match, out),
    disabled: readOptionalFlag(message, "disabled", out),
    labels,
  };
}

const everything: Pick<MetricsOverride, "metrics" | "custom"> = { metrics: standard, custom: undefined };

function readMetrics(match: Message, out: Finding[]): Pick<MetricsOverride, "metrics" | "custom"> {
  if (fieldOf(match, "customMetric") === undefined) {
    const metric = messageEnum(match, "metric", ["ALL_METRICS", ...standard], out);
    return metric === "ALL_METRICS" ? everything : { metrics: [metric], custom: undefined };
  }
  if (fieldOf(match, "metric") !== undefined) {
    const message = "`customMetric` stands beside `metric`, expected only one of them";
    out.push(finding(codes.conflictingFields, pathOf(match, "customMetric"), message));
  }
  const name = readNonEmpty(match, "customMetric", out);
  const known = standard.find((metric) => isNameOf(metric, name));
  return known === undefined ? { metrics: [], custom: name } : { metrics: [known], custom: undefined };
}

/** As Istio's stats filter calls it, without `istio_`, or in full. */
function isNameOf(metric: StandardMetric, name: string): boolean {
  const full = istioMetrics.get(metric)?.name;
  return full !== undefined && (name === full || `istio_${name}` === full);
}

function readChange(tag: Message, out: Finding[]): LabelChange | undefined {
  const operation = messageEnum(tag, "operation", ["UPSERT", "REMOVE"], out);
  const value = messageText(tag, "value", out);
  if (operation === "REMOVE") {
    if (value === "") return { remove: true };
    const message = "`value` stands beside `operation: REMOVE`, expected it with UPSERT only";
    out.push(finding(codes.conflictingFields, pathOf(tag, "value"), message));
    return undefined;
  }
  const given = fieldOf(tag, "value");
  if (given !== undefined && typeof given !== "string") return undefined;
  const source = readLabelExpression(value, pathOf(tag, "value"), out);
  return source === undefined ? undefined : { value: source };
}
