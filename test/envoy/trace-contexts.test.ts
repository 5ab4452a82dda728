import grpc from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createAccessLogService } from "../../src/envoy/als/index.js";
import type { Report } from "../../src/report/index.js";
import { createSpans, type Span } from "../../src/traces/index.js";
import { type Bootstrap, type Envoy, startEnvoy } from "../support/envoy.js";
import { send } from "../support/http.js";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.js";
import { startUpstream, type Upstream } from "../support/upstream.js";

const trace = "0af7651916cd43dd8448eb211c80319c";
const client = "b7ad6b7169203331";
const traceparent = `00-${trace}-${client}-01`;
const type = (name: string): string => `type.googleapis.com/${name}`;

/** What Envoy does of itself: nothing, one span, or one of its question upstream besides. */
type Tracing = "none" | "one" | "upstream";

function bootstrap(tracing: Tracing, says: boolean): Bootstrap {
  const cluster = (name: string, http2: boolean): object => ({
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: {} } }] }],
    },
    ...(http2 && {
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": type("envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
          explicit_http_config: { http2_protocol_options: {} },
        },
      },
    }),
  });
  const grpcService = (name: string): object => ({ envoy_grpc: { cluster_name: name } });
  const provider = {
    name: "envoy.tracers.opentelemetry",
    typed_config: {
      "@type": type("envoy.config.trace.v3.OpenTelemetryConfig"),
      grpc_service: grpcService("collector"),
      service_name: "envoy",
    },
  };
  const manager = {
    "@type": type("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "edge",
    ...(tracing !== "none" && { tracing: { provider, spawn_upstream_span: tracing === "upstream" } }),
    access_log: [
      {
        name: "envoy.access_loggers.http_grpc",
        typed_config: {
          "@type": type("envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig"),
          additional_request_headers_to_log: ["traceparent", "tracestate"],
          common_config: {
            log_name: "gatehouse",
            transport_api_version: "V3",
            grpc_service: grpcService("logs"),
            buffer_flush_interval: "0.05s",
            ...(says && {
              custom_tags: [
                { tag: "trace_id", value: "%TRACE_ID%" },
                { tag: "span_id", value: "%SPAN_ID%" },
              ],
            }),
          },
        },
      },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            { match: { prefix: "/refused" }, direct_response: { status: 403 } },
            { match: { prefix: "/" }, route: { cluster: "upstream" } },
          ],
        },
      ],
    },
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": type("envoy.extensions.filters.http.router.v3.Router") },
      },
    ],
  };
  return {
    node: { id: "envoy-1", cluster: "edge" },
    // Envoy sends what it has at the latest after so long.
    layered_runtime: {
      layers: [{ name: "static", static_layer: { "tracing.opentelemetry.flush_interval_ms": 100 } }],
    },
    static_resources: {
      listeners: [
        {
          name: "edge",
          address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
          filter_chains: [
            {
              filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }],
            },
          ],
        },
      ],
      clusters: [cluster("upstream", false), cluster("logs", true), cluster("collector", true)],
    },
  };
}

const spansOf = createSpans({ maxTagLength: 256, meshId: "", format: () => () => "" });
const rule = { providers: ["otlp"], samplingPercent: 0, disabled: false, tags: [], istioTags: true };

describe("the context of a span, of what a real Envoy logs", () => {
  const reports: Report[] = [];
  let logs: grpc.Server;
  let logsPort: number;
  let collector: OtlpReceiver;
  let upstream: Upstream;
  let envoy: Envoy | undefined;

  beforeAll(async () => {
    const service = createAccessLogService({
      current: () => undefined,
      report: (report) => reports.push(report),
      onSkipped: () => {},
      onError: (error) => {
        throw error;
      },
      now: Date.now,
    });
    const bytes = (value: Buffer): Buffer => value;
    logs = new grpc.Server();
    logs.addService(
      {
        streamAccessLogs: {
          path: "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs",
          requestStream: true,
          responseStream: false,
          ...{ requestSerialize: bytes, requestDeserialize: bytes },
          ...{ responseSerialize: bytes, responseDeserialize: bytes },
        },
      },
      {
        streamAccessLogs: (call: grpc.ServerReadableStream<Buffer, Buffer>) => {
          const stream = service.open();
          call.on("error", () => {});
          call.on("data", (message: Buffer) => [...stream.read(message)]);
        },
      },
    );
    const credentials = grpc.ServerCredentials.createInsecure();
    logsPort = await new Promise((resolve, reject) => {
      logs.bindAsync("127.0.0.1:0", credentials, (error, port) => (error ? reject(error) : resolve(port)));
    });
    collector = await startOtlpReceiver("grpc");
    upstream = await startUpstream();
  });

  afterEach(async () => {
    await envoy?.stop();
    envoy = undefined;
    reports.length = 0;
    collector.spans.length = 0;
  });

  afterAll(async () => {
    logs.forceShutdown();
    await collector.close();
    await upstream.stop();
  });

  /** Our span of one request that a client sent with its trace. */
  async function ourSpan(tracing: Tracing, says: boolean, path: string): Promise<Span> {
    const clusters = { upstream: upstream.port, logs: logsPort, collector: collector.port };
    envoy = await startEnvoy({ bootstrap: bootstrap(tracing, says), clusters });
    const headers = { traceparent, tracestate: "a=1" };
    await send({ port: envoy.ports["edge"] ?? 0, path, headers });
    await vi.waitFor(() => expect(reports).toHaveLength(1), 10_000);
    const [span] = spansOf(reports[0] as Report, rule);
    if (span === undefined) throw new Error("the report gave no span");
    return span;
  }

  /** Envoy's own span of the request, as it sent it to a collector. */
  async function envoysSpan(): Promise<{ readonly spanId: string; readonly parentSpanId: string }> {
    const SERVER = 2;
    return await vi.waitFor(() => {
      const span = collector.spans.find(({ kind }) => kind === SERVER);
      if (span === undefined) throw new Error("envoy has sent no span");
      return span;
    }, 15_000);
  }

  it.each(["/", "/refused"])("of %s is the client's where Envoy does not trace", async (path) => {
    const span = await ourSpan("none", true, path);
    expect(span).toMatchObject({ traceId: trace, parentSpanId: client, traceState: "a=1" });
  });

  it.each([
    ["one", "/"],
    ["one", "/refused"],
    ["upstream", "/"],
    ["upstream", "/refused"],
  ] as const)(
    "is Envoy's own where it traces (spans: %s, %s) and the log's custom tags say so",
    async (tracing, path) => {
      const span = await ourSpan(tracing, true, path);
      const envoys = await envoysSpan();
      expect(envoys.parentSpanId).toBe(client);
      expect(span).toMatchObject({ traceId: trace, parentSpanId: envoys.spanId });
    },
  );

  it("without custom tags is still Envoy's own where it asked upstream", async () => {
    const span = await ourSpan("one", false, "/");
    expect(span).toMatchObject({ traceId: trace, parentSpanId: (await envoysSpan()).spanId });
  });
});
