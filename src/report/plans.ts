import type { Workload } from "../attributes/index.js";
import { compileExpression, type Expression } from "../expressions/index.js";
import type { SeriesStore } from "../series/index.js";
import type { MetricLimits, ReportObserver } from "./custom-metric.js";
import { istioMetrics, type StandardMetrics } from "./istio-metrics.js";
import { type MergedLog, mergeAccessLogs } from "./merge-access-logs.js";
import { type MergedMetrics, mergeMetrics, type Side } from "./merge-metrics.js";
import { type MergedTracing, mergeTracing } from "./merge-tracing.js";
import type { Metric } from "./metric.js";
import { createLabelValues, createReportInputs } from "./metric-label.js";
import type { AccessLogRule, ReportInput, ReportPlan, ReportPlans, SpanTag, TracingRule } from "./plan.js";
import { createRecorderMaker, type RecorderMaker } from "./plans-recorders.js";
import {
  type Applicable,
  applicableMetrics,
  applicableTelemetries,
  type SelectsWorkload,
} from "./plans-select.js";
import type { Reporter } from "./report.js";
import { type CustomTag, sortByName, type Telemetry } from "./telemetry.js";
import { reportVocabulary } from "./vocabulary.js";

/** What an extension provider is good for. */
export type ProviderUse = "metrics" | "accessLogging" | "tracing" | "other";

/** Names of providers that are used where no Telemetry names any. */
export interface DefaultProviders {
  /** Undefined: `prometheus`, that is our own `/metrics`. */
  readonly metrics: readonly string[] | undefined;
  readonly accessLogging: readonly string[];
  /** Only the first counts. */
  readonly tracing: readonly string[];
}

/** Documents and settings of one configuration. */
export interface ReportPlansInput {
  readonly telemetries: readonly Telemetry[];
  readonly metrics: readonly Metric[];
  readonly rootNamespace: string;
  readonly defaultProviders: DefaultProviders;
  /** By lower-case name. `prometheus` is for metrics unless it is said otherwise. */
  readonly providers: ReadonlyMap<string, ProviderUse>;
  /** 0 to 100, where no Telemetry says it. */
  readonly samplingPercent: number;
}

/** What plans are made with. */
export interface ReportPlansPorts {
  readonly store: SeriesStore;
  /** Counting into the same store. */
  readonly standard: StandardMetrics;
  readonly selects: SelectsWorkload;
  /** A variable of the process. */
  readonly environment: (name: string) => string | undefined;
  readonly observer: ReportObserver;
  /** Of Metrics that do not say them. */
  readonly limits: MetricLimits;
}

/** Plans, and what they may count. */
export interface CompiledReportPlans {
  /** Throws nothing. The same plan for proxies with the same documents. */
  readonly plans: ReportPlans;
  /** Every family that is in force, for `SeriesStore.retain`. */
  readonly names: ReadonlySet<string>;
}

/** Prepares the plans of all proxies; each is put together when its first report arrives. */
export function compileReportPlans(input: ReportPlansInput, ports: ReportPlansPorts): CompiledReportPlans {
  const applicable: Applicable = {
    telemetries: sortByName(input.telemetries),
    metrics: sortByName(input.metrics),
    rootNamespace: input.rootNamespace,
    selects: ports.selects,
  };
  const inputOf = createReportInputs();
  const make = createPlanner(
    input,
    ports,
    createRecorderMaker(ports.standard, { ...ports, inputOf, labelOf: createLabelValues(inputOf) }),
  );
  const byReporter = new WeakMap<Reporter, ReportPlan>();
  const byDocuments = new Map<string, ReportPlan>();
  const planOf = (workload: Workload | undefined): ReportPlan => {
    const telemetries = applicableTelemetries(applicable, workload);
    const metrics = applicableMetrics(applicable, workload);
    const key = JSON.stringify([
      telemetries.map((one) => applicable.telemetries.indexOf(one)),
      metrics.map((one) => applicable.metrics.indexOf(one)),
    ]);
    const known = byDocuments.get(key);
    if (known !== undefined) return known;
    const made = make(telemetries, metrics);
    byDocuments.set(key, made);
    return made;
  };
  const plans: ReportPlans = (reporter) => {
    const known = byReporter.get(reporter);
    if (known !== undefined) return known;
    const made = planOf(reporter.party?.workload);
    byReporter.set(reporter, made);
    return made;
  };
  const standard = [...istioMetrics.values()].map(({ name }) => name);
  return { plans, names: new Set([...standard, ...input.metrics.map(({ series }) => series)]) };
}

type Planner = (telemetries: readonly Telemetry[], metrics: readonly Metric[]) => ReportPlan;

function createPlanner(input: ReportPlansInput, ports: ReportPlansPorts, recorders: RecorderMaker): Planner {
  const lower = (names: readonly string[]): readonly string[] => names.map((name) => name.toLowerCase());
  const defaults = {
    metrics: lower(input.defaultProviders.metrics ?? ["prometheus"]),
    accessLogging: lower(input.defaultProviders.accessLogging),
    tracing: lower(input.defaultProviders.tracing),
  };
  const uses = new Map<string, ProviderUse>([["prometheus", "metrics"], ...input.providers]);
  return (telemetries, metrics) => {
    const merged = mergeMetrics(
      telemetries.flatMap((one) => one.metrics),
      defaults.metrics,
    );
    // Several would count everything twice into the same names.
    const provider = [...merged.keys()].filter((name) => uses.get(name) === "metrics").sort()[0];
    const logs = telemetries.map((one) => ({
      resource: `Telemetry ${one.namespace}/${one.name}`,
      rules: one.accessLogging,
    }));
    const settings = telemetries.flatMap((one) => one.tracing);
    const recordersOf = (side: Side): ReportPlan["recorders"]["client"] => {
      const own: MergedMetrics | undefined =
        provider === undefined ? undefined : merged.get(provider)?.[side];
      return [
        ...recorders.standard(own),
        ...recorders.custom(metrics, side, own?.withoutCustom ?? new Set()),
      ];
    };
    const logsOf = (side: Side): readonly MergedLog[] =>
      mergeAccessLogs(logs, defaults.accessLogging, side).filter(({ provider: name }) => uses.has(name));
    const tracingOf = (side: Side): TracingRule =>
      toTracingRule(mergeTracing(settings, defaults.tracing, side), input, uses, ports);
    return {
      recorders: { client: recordersOf("CLIENT"), server: recordersOf("SERVER") },
      accessLogs: toLogRules(logsOf("CLIENT"), logsOf("SERVER"), ports.observer),
      tracing: { client: tracingOf("CLIENT"), server: tracingOf("SERVER") },
    };
  };
}

/** Logs that are the same on both sides become one rule. */
function toLogRules(
  client: readonly MergedLog[],
  server: readonly MergedLog[],
  observer: ReportObserver,
): readonly AccessLogRule[] {
  const same = (a: MergedLog, b: MergedLog): boolean =>
    a.provider === b.provider &&
    a.filter?.source === b.filter?.source &&
    a.filter?.resource === b.filter?.resource;
  const rule =
    (mode: AccessLogRule["mode"]) =>
    (log: MergedLog): AccessLogRule => ({
      provider: log.provider,
      filter: toFilter(log.filter, observer),
      mode,
    });
  return [
    ...client.filter((log) => server.some((other) => same(log, other))).map(rule("both")),
    ...client.filter((log) => !server.some((other) => same(log, other))).map(rule("client")),
    ...server.filter((log) => !client.some((other) => same(log, other))).map(rule("server")),
  ];
}

/** As in Envoy, what a filter cannot be asked about is not logged. */
function toFilter(filter: MergedLog["filter"], observer: ReportObserver): AccessLogRule["filter"] {
  if (filter === undefined) return undefined;
  const { resource, source } = filter;
  const compiled: Expression<boolean, ReportInput> = compileExpression(source, "bool", reportVocabulary);
  return {
    ...compiled,
    evaluate: (input) => {
      try {
        return compiled.evaluate(input);
      } catch {
        observer.expressionFailed(resource, "filter");
        return false;
      }
    },
  };
}

function toTracingRule(
  merged: MergedTracing,
  { samplingPercent }: ReportPlansInput,
  uses: ReadonlyMap<string, ProviderUse>,
  { environment }: ReportPlansPorts,
): TracingRule {
  const { provider } = merged;
  const isKnown = provider !== undefined && uses.get(provider) === "tracing";
  return {
    providers: isKnown ? [provider] : [],
    samplingPercent: merged.samplingPercent ?? samplingPercent,
    disabled: merged.disabled || !isKnown,
    tags: merged.tags.flatMap((tag) => toSpanTag(tag, environment) ?? []),
    istioTags: merged.istioTags,
  };
}

/** A variable that is not set and has no default gives no tag. */
function toSpanTag(tag: CustomTag, environment: ReportPlansPorts["environment"]): SpanTag | undefined {
  if (!("environment" in tag)) return tag;
  const literal = environment(tag.environment) ?? tag.fallback;
  return literal === "" ? undefined : { name: tag.name, literal };
}
