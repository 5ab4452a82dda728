import type { Workload } from "../../../src/attributes/index.js";
import type { Party, Report, Reporter } from "../../../src/report/index.js";
import {
  createIstioMetrics,
  istioMetrics,
  type MetricOverride,
  type StandardMetric,
  type StandardMetricOptions,
} from "../../../src/report/istio-metrics.js";
import { createSeriesStore, type SeriesMetric, type SeriesStore } from "../../../src/series/index.js";
import { aRequest, aWorkload } from "../../support/request.js";
import { noCheck } from "../traces/reports.js";

/** Of Istio's bookinfo. */
export function bookinfo(app: string, type: Workload["type"] = "sidecar"): Party {
  const labels = new Map([
    ["app", app],
    ["version", "v1"],
  ]);
  return {
    workload: aWorkload({ namespace: "bookinfo", name: `${app}-v1`, labels, type }),
    cluster: "Kubernetes",
    canonicalService: app,
    canonicalRevision: "v1",
  };
}

export const productpage: Party = bookinfo("productpage");
export const reviews: Party = bookinfo("reviews");

export const principalOf = (account: string): string => `spiffe://cluster.local/ns/bookinfo/sa/${account}`;

export function reporterOf(party: Party, id = "sidecar~10.0.0.2~pod.ns~ns.svc.cluster.local"): Reporter {
  return { id, cluster: `${party.canonicalService}.bookinfo`, logName: "als", party };
}

const reviewsProxy = reporterOf(reviews);

/** productpage calls reviews by mutual TLS, as the proxy of reviews saw it: 200 in 12.5 ms. */
export function aServed(changes: Partial<Report> = {}): Report {
  return {
    attributes: aRequest().get("/reviews/1").host("reviews:9080").build(),
    event: "close",
    reporter: reviewsProxy,
    side: "server",
    source: productpage,
    destination: reviews,
    service: { name: "reviews", namespace: "bookinfo", host: "reviews.bookinfo.svc.cluster.local" },
    response: {
      code: 200,
      codeDetails: "via_upstream",
      headers: new Map(),
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
      duration: 12.5,
      lastRequestByte: 1,
      firstUpstreamByteSent: 2,
      lastUpstreamByteSent: 3,
      firstUpstreamByteReceived: 9,
      lastUpstreamByteReceived: 10,
      firstResponseByte: 11,
      lastResponseByte: 12,
    },
    bytes: { received: 70, sent: 1130, upstreamReceived: 1100, upstreamSent: 90 },
    upstream: {
      cluster: "inbound|9080||",
      address: undefined,
      port: 9080,
      attempts: 1,
      transportFailure: "",
    },
    tls: {
      version: "TLSv1.3",
      peerPrincipal: principalOf("bookinfo-productpage"),
      localPrincipal: principalOf("bookinfo-reviews"),
    },
    routeName: "default",
    terminationDetails: "",
    streamId: "id-1",
    messages: undefined,
    check: noCheck,
    customTags: new Map(),
    ...changes,
  };
}

/** The same call as the proxy of productpage saw it: nothing is known of certificates. */
export function aCalled(changes: Partial<Report> = {}): Report {
  const upstream = { ...aServed().upstream, cluster: "outbound|9080||reviews.bookinfo.svc.cluster.local" };
  return aServed({ side: "client", reporter: reporterOf(productpage), tls: undefined, upstream, ...changes });
}

/** What came back with this code. */
export function answered(code: number, grpcStatus?: number): Report["response"] {
  const { response } = aServed();
  return response === undefined ? undefined : { ...response, code, grpcStatus };
}

/** A report of a connection of productpage to reviews. */
export function ofConnection(
  event: Report["event"],
  received: number,
  sent: number,
  changes: Partial<Report> = {},
): Report {
  return aServed({
    attributes: aRequest().tcp().build(),
    event,
    response: undefined,
    bytes: { received, sent, upstreamReceived: 0, upstreamSent: 0 },
    ...changes,
  });
}

export const untouched: MetricOverride = { disabled: false, tagOverrides: new Map() };

/** Counts reports with all standard metrics. */
export interface Counting {
  readonly store: SeriesStore;
  readonly count: (...reports: readonly Report[]) => void;
  /** Series of one metric: their labels that are not empty, and their value. */
  readonly series: (
    metric: StandardMetric,
  ) => { labels: Record<string, string>; value: number; buckets?: readonly number[] }[];
}

export function counting(
  overrides: Partial<Record<StandardMetric, MetricOverride>> = {},
  options: Partial<StandardMetricOptions> = {},
  store: SeriesStore = createSeriesStore({ now: () => 0 }),
): Counting {
  const metrics = createIstioMetrics(store, options);
  const recorders = [...istioMetrics.keys()].map((metric) =>
    metrics.compile(metric, overrides[metric] ?? untouched),
  );
  return {
    store,
    count(...reports) {
      for (const report of reports) for (const record of recorders) record(report);
    },
    series: (metric) => seriesOf(store, istioMetrics.get(metric)?.name ?? ""),
  };
}

function seriesOf(store: SeriesStore, name: string): ReturnType<Counting["series"]> {
  return (store.values() as unknown as SeriesMetric[])
    .filter((metric) => metric.name === name)
    .flatMap(({ labelNames, rows }) =>
      rows.map(({ labels, value, buckets }) => ({
        labels: Object.fromEntries(
          labelNames.map((label, i) => [label, labels[i] ?? ""]).filter(([, text]) => text !== ""),
        ),
        value,
        ...(buckets === undefined ? {} : { buckets }),
      })),
    );
}
