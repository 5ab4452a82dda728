import { type Envoy, startEnvoy } from "./envoy.js";
import type { Configured } from "./ext-proc-cells.js";

/** A listener with a filter of ext_proc; what is undefined is as by default. */
export interface ProcListener {
  readonly name: string;
  readonly filter: Readonly<Record<string, unknown>>;
  readonly bufferLimit?: number;
  /** Filters in front of ours. */
  readonly before?: readonly object[];
}

/** After which Envoy ends what does not go on: some bodies that are longer than its buffer. */
const idleTimeout = "4s";

/** As a configuration of the matrix says. Trailers are sent, so that the end of a streamed body is known. */
export function listenerOf({ name, mode, allowsOverride, bufferLimit }: Configured): ProcListener {
  const trailers = mode === "NONE" ? "SKIP" : "SEND";
  const filter = {
    allow_mode_override: allowsOverride,
    processing_mode: {
      request_header_mode: "SEND",
      response_header_mode: "SEND",
      request_body_mode: mode,
      response_body_mode: mode,
      request_trailer_mode: trailers,
      response_trailer_mode: trailers,
    },
  };
  return { name, filter, bufferLimit };
}

/** Where they go. */
export interface ProcPorts {
  readonly gatehouse: number;
  readonly http1: number;
  readonly http2: number;
  /** Nobody listens here. */
  readonly dead: number;
}

/** Starts one Envoy with these listeners. `x-up` chooses HTTP/2 upstream; `/direct` and `/dead` do what they say. */
export function startProcEnvoy(listeners: readonly ProcListener[], ports: ProcPorts): Promise<Envoy> {
  const bootstrap = {
    static_resources: {
      listeners: listeners.map(listener),
      clusters: [
        cluster("http1", ports.http1, { http_protocol_options: { enable_trailers: true } }),
        cluster("http2", ports.http2, { http2_protocol_options: {} }),
        cluster("dead", ports.dead, { http_protocol_options: {} }),
        cluster("gatehouse", ports.gatehouse, { http2_protocol_options: {} }),
      ],
    },
  };
  return startEnvoy({ bootstrap });
}

/** Counters of a listener's filter that are not 0, by name, and how many of its streams are open. */
export async function procCounters(envoy: Envoy, listener: string): Promise<ReadonlyMap<string, number>> {
  const prefix = `http.${listener}.ext_proc.`;
  const text = await envoy.adminText(`/stats?filter=^http\\.${listener}\\.ext_proc\\.`);
  const counters = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [name = "", value = ""] = line.split(": ");
    if (name.startsWith(prefix)) counters.set(name.slice(prefix.length), Number(value));
  }
  return counters;
}

const type = (name: string): string => `type.googleapis.com/envoy.${name}`;

function listener({ name, filter, bufferLimit = 1_048_576, before = [] }: ProcListener): object {
  const route = (match: object, more: object): object => ({ match, ...more });
  const manager = {
    "@type": type("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: name,
    stream_idle_timeout: bufferLimit > 1_048_576 ? "60s" : idleTimeout,
    http_protocol_options: { enable_trailers: true },
    // Of HTTP/2 the window is the buffer's limit too.
    http2_protocol_options: { initial_stream_window_size: bufferLimit },
    upgrade_configs: [{ upgrade_type: "websocket" }],
    route_config: {
      virtual_hosts: [
        {
          name,
          domains: ["*"],
          routes: [
            route(
              { prefix: "/direct" },
              { direct_response: { status: 418, body: { inline_string: "teapot" } } },
            ),
            route({ prefix: "/dead" }, { route: { cluster: "dead" } }),
            route(
              { prefix: "/", headers: [{ name: "x-up", string_match: { exact: "http2" } }] },
              { route: { cluster: "http2", timeout: "30s" } },
            ),
            route({ prefix: "/" }, { route: { cluster: "http1", timeout: "30s" } }),
          ],
        },
      ],
    },
    http_filters: [
      ...before,
      {
        name: "envoy.filters.http.ext_proc",
        typed_config: {
          "@type": type("extensions.filters.http.ext_proc.v3.ExternalProcessor"),
          grpc_service: { envoy_grpc: { cluster_name: "gatehouse" } },
          message_timeout: "20s",
          ...filter,
        },
      },
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": type("extensions.filters.http.router.v3.Router") },
      },
    ],
  };
  const chain = { name: "envoy.filters.network.http_connection_manager", typed_config: manager };
  return {
    name,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    per_connection_buffer_limit_bytes: bufferLimit,
    filter_chains: [{ filters: [chain] }],
  };
}

function cluster(name: string, port: number, protocol: object): object {
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    circuit_breakers: {
      thresholds: [{ max_requests: 8192, max_pending_requests: 8192, max_connections: 8192 }],
    },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": type("extensions.upstreams.http.v3.HttpProtocolOptions"),
        explicit_http_config: protocol,
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
    },
  };
}
