import { CHECK_TIMEOUT_MS, loggers } from "./access-log-loggers.js";
import type { Bootstrap } from "./envoy.js";

const type = (name: string): string => `type.googleapis.com/${name}`;

/** How often an open connection is reported. */
const CONNECTION_REPORTS = "2s";

const httpFilters = "envoy.extensions.filters.http";
const networkFilters = "envoy.extensions.filters.network";

const grpcService = (cluster: string): object => ({ envoy_grpc: { cluster_name: cluster } });

const checks = {
  transport_api_version: "V3",
  grpc_service: { ...grpcService("check"), timeout: `${CHECK_TIMEOUT_MS / 1000}s` },
  include_peer_certificate: true,
  include_tls_session: true,
};

function check(extra: object = {}): object {
  return {
    name: "envoy.filters.http.ext_authz",
    typed_config: {
      "@type": type(`${httpFilters}.ext_authz.v3.ExtAuthz`),
      ...checks,
      encode_raw_headers: true,
      emit_filter_state_stats: true,
      ...extra,
    },
  };
}

/** A filter that lies: it writes what only an answer of ours would, without any question. */
const forger = {
  name: "envoy.filters.http.set_metadata",
  typed_config: {
    "@type": type(`${httpFilters}.set_metadata.v3.Config`),
    metadata: [
      {
        metadata_namespace: "envoy.filters.http.ext_authz",
        value: {
          decision_id: "d-ignored",
          gatehouse: { allowed: false, code: 7, stage: "authorize", reason: "denied_by_policy" },
        },
      },
    ],
  },
};

const route = (name: string, prefix: string, cluster: string, more: object = {}): object => ({
  name,
  match: { prefix },
  route: { cluster, ...more },
});

const routes = [
  route("grpc", "/echo.Echo/", "grpc"),
  { name: "direct", match: { prefix: "/direct" }, direct_response: { status: 204 } },
  route("retry", "/retry", "up", { retry_policy: { retry_on: "5xx", num_retries: 2 } }),
  route("slow", "/never", "up", { timeout: "0.2s" }),
  route("rewrite", "/rewrite", "up", { prefix_rewrite: "/changed" }),
  route("dead", "/dead", "dead", { retry_policy: { retry_on: "connect-failure", num_retries: 1 } }),
  route("nowhere", "/nowhere", "no-such-cluster"),
  route("up", "/", "up", { timeout: "0s" }),
];

function manager(name: string, filters: readonly object[], more: object): object {
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": type(`${networkFilters}.http_connection_manager.v3.HttpConnectionManager`),
      stat_prefix: name,
      codec_type: "AUTO",
      use_remote_address: true,
      xff_num_trusted_hops: 1,
      upgrade_configs: [{ upgrade_type: "websocket" }],
      access_log: loggers("Http"),
      http_filters: [
        ...filters,
        {
          name: "envoy.filters.http.grpc_stats",
          typed_config: {
            "@type": type(`${httpFilters}.grpc_stats.v3.FilterConfig`),
            emit_filter_state: true,
          },
        },
        {
          name: "envoy.filters.http.router",
          typed_config: { "@type": type(`${httpFilters}.router.v3.Router`) },
        },
      ],
      route_config: {
        validate_clusters: false,
        // Its number of digits would be in the goldens.
        response_headers_to_remove: ["x-envoy-upstream-service-time"],
        virtual_hosts: [
          {
            name: "shop",
            domains: ["*"],
            typed_per_filter_config: {
              "envoy.filters.http.ext_authz": {
                "@type": type(`${httpFilters}.ext_authz.v3.ExtAuthzPerRoute`),
                check_settings: {
                  context_extensions: {
                    "destination.namespace": "shop",
                    "destination.workload.name": "web-v1",
                    "destination.labels[app]": "web",
                    "xff.use_remote_address": "true",
                    "xff.num_trusted_hops": "1",
                  },
                },
              },
            },
            routes:
              name === "out"
                ? [route("default", "/", `outbound|80||${books}`)]
                : name === "strict"
                  ? routes.slice(0, -1)
                  : routes,
          },
        ],
      },
      ...more,
    },
  };
}

const tls = {
  transport_socket: {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": type("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"),
      require_client_certificate: true,
      common_tls_context: {
        tls_certificates: [
          {
            certificate_chain: { filename: "certs/server.pem" },
            private_key: { filename: "certs/server-key.pem" },
          },
        ],
        validation_context: { trusted_ca: { filename: "certs/ca.pem" } },
      },
    },
  },
};

function listener(name: string, filters: readonly object[], transport: object = {}): object {
  return {
    name,
    traffic_direction: name === "out" ? "OUTBOUND" : "INBOUND",
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    // Reads the name that the client asks for before the connection is handed to a chain.
    ...(Object.hasOwn(transport, "transport_socket") && {
      listener_filters: [
        {
          name: "envoy.filters.listener.tls_inspector",
          typed_config: { "@type": type("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector") },
        },
      ],
    }),
    filter_chains: [{ filters, ...transport }],
  };
}

const http = (name: string, filters: readonly object[], transport = {}, more = {}): object =>
  listener(name, [manager(name, filters, more)], transport);

const connections = listener(
  "tcp",
  [
    {
      name: "envoy.filters.network.ext_authz",
      typed_config: {
        "@type": type(`${networkFilters}.ext_authz.v3.ExtAuthz`),
        stat_prefix: "tcp",
        ...checks,
        bootstrap_metadata_labels_key: "TCP_LABELS",
      },
    },
    {
      name: "envoy.filters.network.tcp_proxy",
      typed_config: {
        "@type": type(`${networkFilters}.tcp_proxy.v3.TcpProxy`),
        stat_prefix: "tcp",
        cluster: "echo",
        access_log: loggers("Tcp"),
        access_log_options: {
          flush_access_log_on_connected: true,
          access_log_flush_interval: CONNECTION_REPORTS,
        },
      },
    },
  ],
  tls,
);

const tracing = {
  tracing: {
    provider: {
      name: "envoy.tracers.opentelemetry",
      typed_config: {
        "@type": type("envoy.config.trace.v3.OpenTelemetryConfig"),
        grpc_service: grpcService("collector"),
        service_name: "envoy-itself",
      },
    },
  },
};

const books = "books.shop.svc.cluster.local";

/** What Istio says of a service, and of its one endpoint where that is another workload's. */
function cluster(name: string, isHttp2 = false): object {
  const isOurs = !name.startsWith("outbound|");
  const service = isOurs ? "web" : "books";
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    metadata: {
      filter_metadata: {
        istio: {
          services: [{ host: `${service}.shop.svc.cluster.local`, name: service, namespace: "shop" }],
        },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [
            {
              ...(!isOurs && {
                metadata: { filter_metadata: { istio: { workload: "books-v2;shop;books;v2;Kubernetes" } } },
              }),
              // Port 1 of loopback, where nobody listens, unless told otherwise.
              endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: 1 } } },
            },
          ],
        },
      ],
    },
    ...(isHttp2 && {
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": type("envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
          explicit_http_config: { http2_protocol_options: {} },
        },
      },
    }),
  };
}

/**
 * A sidecar that checks and logs everything. Listeners: `http`; `strict`, which knows few routes; `shadow` and `open`,
 * whose filter lets pass; `mtls`; `forged`, which asks nobody and pretends; `traced`; `out`, towards others; `tcp`.
 */
export function loggingBootstrap(): Bootstrap {
  return {
    node: {
      id: "sidecar~10.0.0.7~web-v1-0.shop~shop.svc.cluster.local",
      cluster: "web.shop",
      metadata: {
        NAMESPACE: "shop",
        WORKLOAD_NAME: "web-v1",
        CLUSTER_ID: "Kubernetes",
        LABELS: { app: "web", version: "v1" },
        TCP_LABELS: { app: "ledger" },
      },
    },
    // Envoy sends its spans at the latest after so long.
    layered_runtime: {
      layers: [{ name: "static", static_layer: { "tracing.opentelemetry.flush_interval_ms": 50 } }],
    },
    static_resources: {
      listeners: [
        http("http", [check()]),
        http("strict", [check()]),
        http("shadow", [check({ shadow_mode: true })]),
        http("open", [check({ failure_mode_allow: true })]),
        http("mtls", [check()], tls),
        http("forged", [forger]),
        http("traced", [check()], {}, tracing),
        http("out", []),
        connections,
      ],
      clusters: [
        cluster("check", true),
        cluster("tap", true),
        cluster("gatehouse", true),
        cluster("collector", true),
        cluster("grpc", true),
        cluster("up"),
        cluster(`outbound|80||${books}`),
        cluster("echo"),
        cluster("dead"),
      ],
    },
  };
}
