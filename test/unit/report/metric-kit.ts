import type { Workload } from "../../../src/attributes/index.js";
import type { Parsed, ResourceDocument } from "../../../src/documents/index.js";
import { selects } from "../../../src/istio/index.js";
import type { MetricLimits } from "../../../src/report/custom-metric.js";
import {
  compileReportPlans,
  type Metric,
  type Party,
  parseMetric,
  parseTelemetry,
  type Report,
  type Reporter,
  type ReportObserver,
  type Telemetry,
} from "../../../src/report/index.js";
import { createIstioMetrics } from "../../../src/report/istio-metrics.js";
import type { CompiledReportPlans, ReportPlansInput } from "../../../src/report/plans.js";
import { createSeriesStore, type SeriesMetric, type SeriesStore } from "../../../src/series/index.js";
import { aRequest, aWorkload } from "../../support/request.js";

/** A party of this workload. */
export function aParty(overrides: Partial<Workload> = {}): Party {
  const workload = aWorkload(overrides);
  return { workload, cluster: "c1", canonicalService: workload.name, canonicalRevision: "v1" };
}

/** The sidecar of a workload. */
export function aReporter(overrides: Partial<Workload> = {}): Reporter {
  return { id: "sidecar~1", cluster: "proxy", logName: "http", party: aParty(overrides) };
}

/** A proxy that does not say whose it is. */
export const stranger: Reporter = { id: "x", cluster: "", logName: "", party: undefined };

/** A request of `web` to `httpbin` that was answered with 200, as the server's proxy saw it. */
export function aReport(changes: Partial<Report> = {}): Report {
  return {
    attributes: aRequest().from("ns/shop/sa/web").get("/orders/7?key=secret").build(),
    event: "close",
    reporter: aReporter(),
    side: "server",
    source: aParty({ namespace: "shop", name: "web", labels: new Map([["app", "web"]]) }),
    destination: aParty(),
    service: { name: "httpbin", namespace: "foo", host: "httpbin.foo.svc.cluster.local" },
    response: {
      code: 200,
      codeDetails: "via_upstream",
      headers: new Map([
        ["content-type", "text/plain"],
        ["set-cookie", "a=b"],
      ]),
      trailers: new Map(),
      grpcStatus: undefined,
      headersBytes: 100,
      bodyBytes: 1000,
    },
    requestHeadersBytes: 50,
    requestBodyBytes: 5,
    flags: "-",
    times: {
      start: Date.UTC(2026, 0, 31),
      duration: 82.5,
      lastRequestByte: 1,
      firstUpstreamByteSent: 2,
      lastUpstreamByteSent: 3,
      firstUpstreamByteReceived: 70,
      lastUpstreamByteReceived: 80,
      firstResponseByte: 71,
      lastResponseByte: 81,
    },
    bytes: { received: 120, sent: 1180, upstreamReceived: 1100, upstreamSent: 130 },
    upstream: { cluster: "inbound|80||", address: undefined, port: 0, attempts: 1, transportFailure: "" },
    tls: undefined,
    routeName: "default",
    terminationDetails: "",
    streamId: "id-1",
    messages: undefined,
    check: {
      outcome: "allowed",
      decisionId: "d1",
      allowed: true,
      code: 0,
      stage: "authz",
      reason: "allowed",
      policy: "foo/allow",
      rule: 2,
      snapshot: 4,
      failedOpen: false,
      principal: "https://issuer/alice",
      quota: [{ quota: "foo/per-user", cost: 1, limit: 100, remaining: 99 }],
      dryRun: [],
      obligations: [],
      unmet: [],
      body: undefined,
      latencyMs: 0.4,
    },
    customTags: new Map([["tenant", "acme"]]),
    ...changes,
  };
}

/** A TCP connection that closes. */
export function aConnection(changes: Partial<Report> = {}): Report {
  return aReport({
    attributes: aRequest().from("ns/shop/sa/web").tcp().build(),
    response: undefined,
    ...changes,
  });
}

export function aTelemetryDocument(spec: unknown, name = "t", namespace = "foo"): ResourceDocument {
  const apiVersion = "telemetry.istio.io/v1";
  return { apiVersion, kind: "Telemetry", name, namespace, annotations: new Map(), spec };
}

export function aMetricDocument(spec: unknown, name = "orders_total", namespace = "foo"): ResourceDocument {
  const apiVersion = "gatehouse.dev/v1alpha1";
  return { apiVersion, kind: "Metric", name, namespace, annotations: new Map(), spec };
}

/** Findings as `CODE PATH`. */
export function said({ findings }: Parsed<unknown>): string[] {
  return findings.map(({ code, path }) => `${code.code} ${path.join(".")}`);
}

/** Throws when there are errors. */
export function aTelemetry(spec: unknown, name?: string, namespace?: string): Telemetry {
  return good(parseTelemetry(aTelemetryDocument(spec, name, namespace)));
}

/** Throws when there are errors. */
export function aMetric(spec: unknown, name?: string, namespace?: string): Metric {
  return good(parseMetric(aMetricDocument(spec, name, namespace)));
}

function good<T>(parsed: Parsed<T>): T {
  if (parsed.spec !== undefined) return parsed.spec;
  throw new Error(parsed.findings.map(({ message }) => message).join("; "));
}

/** Plans with a real store, and what was told to the observer. */
export interface Bench extends CompiledReportPlans {
  readonly store: SeriesStore;
  readonly told: string[];
  /** Counts a report as its reporter's plan says. */
  readonly count: (...reports: Report[]) => void;
  /** Lines of the families whose name matches, as `NAME{LABEL="VALUE"} NUMBER`. */
  readonly lines: (name: RegExp) => string[];
}

export function aBench(
  input: Partial<ReportPlansInput> = {},
  environment: Readonly<Record<string, string>> = {},
  limits: Partial<MetricLimits> = {},
): Bench {
  const store = createSeriesStore({ now: () => 0 });
  const told: string[] = [];
  const observer: ReportObserver = {
    expressionFailed: (resource, use) => told.push(`${resource} ${use}`),
    valueRefused: (resource) => told.push(`${resource} refused`),
  };
  const compiled = compileReportPlans(
    {
      telemetries: [],
      metrics: [],
      rootNamespace: "istio-system",
      defaultProviders: { metrics: undefined, accessLogging: [], tracing: [] },
      providers: new Map([
        ["log", "accessLogging"],
        ["other-log", "accessLogging"],
        ["jaeger", "tracing"],
        ["zipkin", "tracing"],
        ["prom2", "metrics"],
        ["elsewhere", "other"],
      ]),
      samplingPercent: 1,
      ...input,
    },
    {
      store,
      standard: createIstioMetrics(store),
      selects: (attachment, workload) => selects(attachment, workload, "istio-system"),
      environment: (name) => environment[name],
      observer,
      limits: { expiryMs: undefined, maxValues: 100, maxSeries: 1000, ...limits },
    },
  );
  return {
    ...compiled,
    store,
    told,
    count: (...reports) => {
      for (const report of reports)
        for (const record of compiled.plans(report.reporter).recorders[report.side]) record(report);
    },
    lines: (name) => linesOf(store, name),
  };
}

function linesOf(store: SeriesStore, name: RegExp): string[] {
  return (store.values() as unknown as SeriesMetric[])
    .filter((metric) => name.test(metric.name))
    .flatMap((metric) =>
      metric.rows.map(({ labels, value }) => {
        const shown = metric.labelNames.flatMap((label, i) =>
          labels[i] === "" ? [] : `${label}=${JSON.stringify(labels[i])}`,
        );
        return `${metric.name}{${shown.join(",")}} ${value}`;
      }),
    )
    .sort();
}
