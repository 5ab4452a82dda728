import { type Finding, hasErrors, type Path } from "../diagnostics/index.js";
import {
  asFields,
  attachmentFields,
  type Message,
  messageFlag,
  type Parsed,
  type ResourceDocument,
  readAttachment,
  readList,
  readMessage,
} from "../documents/index.js";
import { readReportExpression } from "./metric-expression.js";
import type { AccessLoggingRule, Telemetry } from "./telemetry.js";
import { metricsFields, readMetricsRule } from "./telemetry-metrics.js";
import { childOf, readMatchMode, readProviders } from "./telemetry-read.js";
import { readTracing, tracingFields } from "./telemetry-tracing.js";

const fields: ReadonlySet<string> = new Set([...attachmentFields, "tracing", "metrics", "accessLogging"]);
const loggingFields: ReadonlySet<string> = new Set(["match", "providers", "disabled", "filter"]);
const filterFields: ReadonlySet<string> = new Set(["expression"]);

/**
 * Parses a Telemetry of `telemetry.istio.io`, by Istio's rules of validation; expressions are checked, too.
 * Whether its providers exist is not: see `providersNamed`.
 */
export function parseTelemetry(document: ResourceDocument): Parsed<Telemetry> {
  const at: Path = ["spec"];
  const out: Finding[] = [];
  const spec = asFields(document.spec ?? {}, at, out, fields);
  if (spec === undefined) return { spec: undefined, findings: out };
  const attached = readAttachment(spec, at, out);
  const listOf = <Item>(
    name: string,
    known: ReadonlySet<string>,
    read: (message: Message, out: Finding[]) => Item,
  ): readonly Item[] =>
    (readList(spec, name, at, out) ?? []).flatMap((item, i) => {
      const message = readMessage(item, [...at, name, i], out, known);
      return message === undefined ? [] : [read(message, out)];
    });
  const telemetry: Telemetry = {
    namespace: document.namespace,
    name: document.name,
    selector: attached.selector,
    targetRefs: attached.targetRefs,
    metrics: listOf("metrics", metricsFields, readMetricsRule),
    accessLogging: listOf("accessLogging", loggingFields, readLogging),
    tracing: listOf("tracing", tracingFields, readTracing),
  };
  return { spec: hasErrors(out) ? undefined : telemetry, findings: out };
}

function readLogging(message: Message, out: Finding[]): AccessLoggingRule {
  const filter = childOf(message, "filter", filterFields, out);
  return {
    mode: readMatchMode(message, out),
    providers: readProviders(message, out),
    disabled: messageFlag(message, "disabled", out),
    filter: filter === undefined ? undefined : readFilter(filter, out),
  };
}

function readFilter(filter: Message, out: Finding[]): string | undefined {
  const expression = filter.written.get("expression") ?? "expression";
  return readReportExpression(filter.fields[expression] ?? "", "bool", [...filter.at, expression], out);
}
