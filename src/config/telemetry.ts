import type { TokenPlaces } from "../authn/index.js";
import type { ApiKeys, TokenIntrospection } from "../credentials/index.js";
import { type RequestAuthentication, selects } from "../istio/index.js";
import {
  type AccessLog,
  accessLogOf,
  builtinProvider,
  compileAccessLog,
  compileDecisionLog,
  type DecisionLog,
  defaultMasks,
  type Environment,
  type LogProvider,
  type OtlpSinkSpec,
  type RulePlace,
  type SinkSpec,
  sinkOfProvider,
  sinksOfDecisions,
} from "../logs/index.js";
import {
  compileReportPlans,
  createDecisionRequests,
  createIstioMetrics,
  DECISION_REQUESTS,
  defaultStandardMetricOptions,
  type Metric,
  type ProviderUse,
  type Recorder,
  type Report,
  type ReportObserver,
  type ReportPlans,
  type Telemetry,
} from "../report/index.js";
import type { SeriesStore } from "../series/index.js";
import { createSpans, type SpansOf } from "../traces/index.js";
import type { ExtensionProvider } from "./extension-provider.js";
import type { Mesh } from "./mesh.js";
import type { Resource } from "./resource.js";

/** What is made of decisions and reports under one configuration. */
export interface TelemetryInForce {
  readonly plans: ReportPlans;
  /** Counts by decision; for every report. */
  readonly byDecision: Recorder;
  /** Names of all series that may be counted, for `SeriesStore.retain`. */
  readonly series: ReadonlySet<string>;
  /** By the provider's name in lower case, as plans have it. */
  readonly accessLogs: ReadonlyMap<string, AccessLog>;
  readonly spans: SpansOf;
  /** Undefined: decisions are not written anywhere. */
  readonly decisionLog: DecisionLog | undefined;
}

/** What telemetry is compiled with. */
export interface TelemetryPorts {
  /** Outlives configurations: what has been counted stays. */
  readonly series: SeriesStore;
  readonly environment: Environment;
  readonly observer: ReportObserver;
  /** Told of a rule of the decision log that had no value. */
  readonly ruleFailed: (place: RulePlace) => void;
}

/** Compiles what a configuration says of metrics, logs and traces. */
export function compileTelemetry(
  resources: Iterable<Resource>,
  mesh: Mesh,
  { series, environment, observer, ruleFailed }: TelemetryPorts,
): TelemetryInForce {
  const all = [...resources];
  const specs = <Spec>(kind: string): Spec[] =>
    all.filter((resource) => resource.kind === kind).map(({ spec }) => spec as Spec);
  const { telemetry, rootNamespace } = mesh;
  const { expiryMs, maxSeries, maxValues } = telemetry.metrics;
  const limits = {
    expiryMs,
    maxValues: maxValues ?? defaultStandardMetricOptions.maxValues,
    maxSeries: maxSeries ?? defaultStandardMetricOptions.maxSeries,
  };
  const { plans, names } = compileReportPlans(
    {
      telemetries: specs<Telemetry>("Telemetry"),
      metrics: specs<Metric>("Metric"),
      rootNamespace,
      defaultProviders: defaultProviders(mesh),
      providers: usesOf(mesh.extensionProviders),
      samplingPercent: telemetry.samplingPercent,
    },
    {
      store: series,
      standard: createIstioMetrics(series, {
        ...limits,
        // Its default is lower: a histogram has some twenty lines for each series.
        ...(maxSeries !== undefined && { maxHistogramSeries: maxSeries }),
      }),
      selects: (attachment, workload) => selects(attachment, workload, rootNamespace),
      environment,
      observer,
      limits,
    },
  );
  const places = tokenPlaces(all);
  const secret = new Set(places.flatMap(({ headers }) => headers.map(({ name }) => name.toLowerCase())));
  return {
    plans,
    byDecision: createDecisionRequests(series, limits),
    series: new Set([...names, DECISION_REQUESTS]),
    accessLogs: accessLogsOf(mesh, places),
    spans: createSpans({
      format: (text) => compileText(text, places),
      maxTagLength: maxTagLength(telemetry.providers),
      meshId: mesh.trustDomain,
      isSecret: (header) => secret.has(header),
    }),
    decisionLog: compileDecisionLog(telemetry.decisionLog, telemetry.audit, { places, failed: ruleFailed }),
  };
}

/** Where lines and spans go by a Mesh. */
export function sinksOfMesh(
  { telemetry }: Mesh,
  environment: Environment,
): { readonly sinks: readonly SinkSpec[]; readonly exporters: readonly OtlpSinkSpec[] } {
  const logs = sinksOfDecisions(telemetry.decisionLog, telemetry.audit, environment);
  const exporters: OtlpSinkSpec[] = [];
  for (const provider of providersOf(telemetry)) {
    const sink = sinkOfProvider(provider, environment);
    if (sink === undefined) continue;
    if (provider.opentelemetry !== undefined && sink.kind === "otlp") exporters.push(sink);
    else logs.push(sink);
  }
  return { sinks: logs, exporters };
}

/** Istio's provider `envoy` is there unless the Mesh has one of that name. */
function providersOf({ providers, accessLog }: Mesh["telemetry"]): readonly LogProvider[] {
  const builtin = builtinProvider(accessLog);
  return providers.some(({ name }) => name === builtin.name) ? providers : [builtin, ...providers];
}

/** As in Istio, naming a file asks for the log. */
function defaultProviders({ telemetry }: Mesh): Mesh["telemetry"]["defaultProviders"] {
  const { defaultProviders: given, accessLog } = telemetry;
  if (accessLog.accessLogFile === "" || given.accessLogging.length > 0) return given;
  return { ...given, accessLogging: [builtinProvider(accessLog).name] };
}

function usesOf(providers: readonly ExtensionProvider[]): ReadonlyMap<string, ProviderUse> {
  const uses = new Map<string, ProviderUse>([["envoy", "accessLogging"]]);
  for (const provider of providers) uses.set(provider.name.toLowerCase(), useOf(provider));
  return uses;
}

function useOf({
  envoyFileAccessLog,
  envoyOtelAls,
  opentelemetry,
  prometheus,
}: ExtensionProvider): ProviderUse {
  if ((envoyFileAccessLog ?? envoyOtelAls) !== undefined) return "accessLogging";
  if (opentelemetry !== undefined) return "tracing";
  return prometheus === undefined ? "other" : "metrics";
}

function accessLogsOf({ telemetry }: Mesh, places: readonly TokenPlaces[]): ReadonlyMap<string, AccessLog> {
  return new Map(
    providersOf(telemetry).flatMap((provider) => {
      const spec = accessLogOf(provider, telemetry.accessLog);
      if (spec === undefined) return [];
      return [[provider.name.toLowerCase(), compileAccessLog(spec, telemetry.accessLogMask, places)]];
    }),
  );
}

/** Istio's default. */
const defaultTagLength = 256;

/** Spans are the same for all receivers, so the longest counts. */
function maxTagLength(providers: readonly LogProvider[]): number {
  const lengths = providers.map(({ opentelemetry }) => opentelemetry?.maxTagLength ?? 0);
  return Math.max(...lengths, 0) || defaultTagLength;
}

/** A format of the access log as a text of its own, masked as there. */
function compileText(text: string, places: readonly TokenPlaces[]): (report: Report) => string {
  const format = { text, labels: {}, omitEmptyValues: false };
  const log = compileAccessLog({ sink: "", format, forOtlp: false }, defaultMasks, places);
  return (report) => log(report).text;
}

/** Wherever a credential is read from, it is not shown. */
export function tokenPlaces(resources: readonly Pick<Resource, "kind" | "spec">[]): readonly TokenPlaces[] {
  return resources.flatMap(({ kind, spec }) => {
    if (kind === "RequestAuthentication") {
      return (spec as RequestAuthentication).rules.map(({ places }) => places);
    }
    if (kind === "TokenIntrospection" || kind === "ApiKeys")
      return [(spec as TokenIntrospection | ApiKeys).places];
    return [];
  });
}
