import { stringify } from "yaml";
import type { Sampled } from "./entries.js";

/** What a Gatehouse is told to make of the entries. */
export interface LogConfig {
  readonly name: string;
  /** `spec` of the Mesh. */
  readonly mesh: object;
  readonly documents: readonly string[];
  readonly sampled: Sampled;
}

const spec = (kind: string, name: string, group: string, content: object): string =>
  stringify({ apiVersion: group, kind, metadata: { name, namespace: "istio-system" }, spec: content });
const telemetry = (content: object): string => spec("Telemetry", "mesh", "telemetry.istio.io/v1", content);

const noMetrics = { metrics: [{ overrides: [{ disabled: true }] }] };

/** Counters and histograms as users write them, each for the whole mesh. */
const metrics: readonly string[] = Array.from({ length: 10 }, (_, i) => {
  const path = "pathTemplate(request.path, ['/api/v1/carts/{id}', '/{**}'])";
  const counter = {
    type: "COUNTER",
    match: "has(response.code) && response.code < 500 && request.method != 'OPTIONS'",
    labels: { plan: "request.headers['x-plan']", code: "response.code", caller: "source.workload.name" },
  };
  const histogram = {
    type: "HISTOGRAM",
    match: "has(response.backend_latency)",
    value: "response.backend_latency",
    labels: { service: "destination.service.name", path },
    buckets: { exponential: { start: 1, factor: 2, count: 12 } },
  };
  const content = { name: `bench_${i}${i % 2 === 0 ? "_total" : "_milliseconds"}` };
  return spec("Metric", `bench-${i}`, "gatehouse.dev/v1alpha1", {
    ...content,
    ...(i % 2 === 0 ? counter : histogram),
  });
});

/** All configs; files are written below `folder`, spans go to the receiver on `port`. */
export function logConfigs(folder: string, port: number): LogConfig[] {
  const text = { name: "text", envoyFileAccessLog: { path: `${folder}/text.log` } };
  const labels = {
    time: "%START_TIME%",
    method: "%REQ(:METHOD)%",
    path: "%REQ(:PATH)%",
    code: "%RESPONSE_CODE%",
    flags: "%RESPONSE_FLAGS%",
    duration_ms: "%DURATION%",
    bytes: "%BYTES_SENT%",
    request_id: "%REQ(X-REQUEST-ID)%",
    peer: "%DOWNSTREAM_PEER_URI_SAN%",
    upstream: "%UPSTREAM_HOST%",
  };
  const json = {
    name: "json",
    envoyFileAccessLog: { path: `${folder}/json.log`, logFormat: { labels } },
  };
  const collector = { name: "collector", opentelemetry: { service: "127.0.0.1", port } };
  const log = (name: string): object => ({ accessLogging: [{ providers: [{ name }] }] });
  const tracing = { tracing: [{ providers: [{ name: "collector" }], randomSamplingPercentage: 0 }] };
  const rare = { sampled: 10 } as const;
  return [
    { name: "no metrics", mesh: {}, documents: [telemetry(noMetrics)], ...rare },
    { name: STANDARD, mesh: {}, documents: [], ...rare },
    { name: "+ 10 Metric documents", mesh: {}, documents: metrics, ...rare },
    {
      name: "+ access log to a file, text",
      mesh: { extensionProviders: [text] },
      documents: [telemetry(log("text"))],
      ...rare,
    },
    {
      name: "+ access log to a file, JSON",
      mesh: { extensionProviders: [json] },
      documents: [telemetry(log("json"))],
      ...rare,
    },
    {
      name: "+ spans of 1 %",
      mesh: { extensionProviders: [collector] },
      documents: [telemetry(tracing)],
      ...rare,
    },
    {
      name: "+ spans of every request",
      mesh: { extensionProviders: [collector] },
      documents: [telemetry(tracing)],
      sampled: 1_000,
    },
    {
      name: "+ 10 Metrics, text, spans of 1 %",
      mesh: {
        extensionProviders: [{ ...text, envoyFileAccessLog: { path: `${folder}/all.log` } }, collector],
      },
      documents: [telemetry({ ...log("text"), ...tracing }), ...metrics],
      ...rare,
    },
  ];
}

/** What the target is about. */
export const STANDARD = "standard metrics";
