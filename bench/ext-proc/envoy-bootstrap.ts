import { requestAttributes } from "../../src/envoy/ext-proc/request.js";
import type { Bootstrap } from "../../test/support/envoy.js";
import { benchWorkload } from "../policies.js";
import { initialMetadata } from "./messages.js";

/** A listener: what stands before its router, and who answers. */
export interface Way {
  readonly name: string;
  /** Clusters of the servers that are asked. */
  readonly authz?: string;
  readonly proc?: {
    readonly cluster: string;
    readonly responseHeaders: "SEND" | "SKIP";
    readonly responseBody: "NONE" | "BUFFERED" | "FULL_DUPLEX_STREAMED";
  };
  /** A body that an upstream answers with, by its name; absent: Envoy answers by itself. */
  readonly upstream?: string;
}

/** Everything that one Envoy is made of. */
export interface Ways {
  readonly ways: readonly Way[];
  /** Ports of servers by cluster. */
  readonly servers: Readonly<Record<string, number>>;
  /** JSON bodies by name: each has a listener of its own in the same Envoy. */
  readonly upstreams: Readonly<Record<string, string>>;
}

const extensions = "type.googleapis.com/envoy.extensions";
const httpFilter = `${extensions}.filters.http`;

/**
 * Envoy half-closes a stream of external processing and waits for its end. Without it each one is reset, and Node's HTTP/2
 * ends a connection after some 1,000 resets (33 a second), as it takes them for an attack: CVE-2023-44487.
 */
const gracefulClose = "envoy.reloadable_features.ext_proc_graceful_grpc_close";

/** One Envoy with a listener for each way. */
export function bootstrapOf({ ways, servers, upstreams }: Ways): Bootstrap {
  const bodies = Object.entries(upstreams);
  return {
    admin: {},
    layered_runtime: { layers: [{ name: "static", static_layer: { [gracefulClose]: true } }] },
    static_resources: {
      listeners: [
        ...bodies.map(([name, body]) => upstreamListener(name, body)),
        ...ways.map((way) => wayListener(way)),
      ],
      clusters: [
        ...Object.entries(servers).map(([name, port]) =>
          cluster(name, { socket_address: { address: "127.0.0.1", port_value: port } }),
        ),
        ...bodies.map(([name]) => cluster(name, pipe(name))),
      ],
    },
  };
}

/** Of Linux, without a file. */
const pipe = (name: string): object => ({ pipe: { path: `@gatehouse-bench-${process.pid}-${name}` } });

function wayListener({ name, authz, proc, upstream }: Way): object {
  const filters = [
    ...(proc === undefined ? [] : [peerFilter]),
    ...(authz === undefined ? [] : [extAuthz(authz)]),
    ...(proc === undefined ? [] : [extProc(proc)]),
  ];
  const ok = { direct_response: { status: 200, body: { inline_string: "ok" } } };
  const answer = upstream === undefined ? ok : { route: { cluster: upstream, timeout: "60s" } };
  const anywhere = { socket_address: { address: "127.0.0.1", port_value: 0 } };
  return listener(name, anywhere, filters, { virtual_hosts: [virtualHost(answer)] });
}

function upstreamListener(name: string, body: string): object {
  const type = { header: { key: "content-type", value: "application/json" } };
  const answer = {
    direct_response: { status: 200, body: { inline_string: body } },
    response_headers_to_add: [{ ...type, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" }],
  };
  return listener(`upstream-${name}`, pipe(name), [], {
    max_direct_response_body_size_bytes: 64 << 20,
    virtual_hosts: [virtualHost(answer)],
  });
}

function virtualHost(answer: object): object {
  const context_extensions = {
    "destination.namespace": benchWorkload.namespace,
    "destination.workload.name": benchWorkload.name,
    "destination.workload.type": "sidecar",
    "destination.labels[app]": benchWorkload.labels.app,
    "destination.service.name": benchWorkload.name,
  };
  const typed_per_filter_config = {
    "envoy.filters.http.ext_authz": {
      "@type": `${httpFilter}.ext_authz.v3.ExtAuthzPerRoute`,
      check_settings: { context_extensions },
    },
  };
  const routes = [{ match: { prefix: "/" }, ...answer }];
  return { name: "all", domains: ["*"], routes, typed_per_filter_config };
}

function listener(name: string, address: object, filters: readonly object[], routes: object): object {
  const router = { name: "router", typed_config: { "@type": `${httpFilter}.router.v3.Router` } };
  const manager = {
    "@type": `${extensions}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    normalize_path: true,
    http_filters: [...filters, router],
    route_config: routes,
  };
  const network = { name: "envoy.filters.network.http_connection_manager", typed_config: manager };
  return { name, address, filter_chains: [{ filters: [network] }] };
}

/** Keeps the TCP peer where no client can change it. */
const peerFilter = {
  name: "envoy.filters.http.set_filter_state",
  typed_config: {
    "@type": `${httpFilter}.set_filter_state.v3.Config`,
    on_request_headers: [
      {
        object_key: "gatehouse.peer",
        factory_key: "envoy.string",
        format_string: { text_format_source: { inline_string: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%" } },
      },
    ],
  },
};

function extProc({ cluster, responseHeaders, responseBody }: NonNullable<Way["proc"]>): object {
  const namespaces = ["envoy.filters.http.ext_authz", "envoy.filters.http.ext_proc"];
  return {
    name: "envoy.filters.http.ext_proc",
    typed_config: {
      "@type": `${httpFilter}.ext_proc.v3.ExternalProcessor`,
      grpc_service: {
        envoy_grpc: { cluster_name: cluster },
        initial_metadata: Object.entries(initialMetadata).map(([key, value]) => ({ key, value })),
      },
      message_timeout: "5s",
      failure_mode_allow: false,
      allow_mode_override: true,
      processing_mode: {
        request_header_mode: "SEND",
        response_header_mode: responseHeaders,
        request_body_mode: "NONE",
        response_body_mode: responseBody,
        request_trailer_mode: "SKIP",
        response_trailer_mode: responseBody === "FULL_DUPLEX_STREAMED" ? "SEND" : "SKIP",
      },
      request_attributes: requestAttributes,
      response_attributes: ["response.code_details"],
      mutation_rules: { allow_all_routing: true },
      metadata_options: {
        forwarding_namespaces: { untyped: namespaces.slice(0, 1) },
        receiving_namespaces: { untyped: namespaces },
      },
    },
  };
}

/** As our bootstraps have it. */
function extAuthz(clusterName: string): object {
  return {
    name: "envoy.filters.http.ext_authz",
    typed_config: {
      "@type": `${httpFilter}.ext_authz.v3.ExtAuthz`,
      transport_api_version: "V3",
      grpc_service: { envoy_grpc: { cluster_name: clusterName }, timeout: "5s" },
      failure_mode_allow: false,
      validate_mutations: true,
      encode_raw_headers: true,
      include_peer_certificate: true,
      include_tls_session: true,
    },
  };
}

function cluster(name: string, address: object): object {
  const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    circuit_breakers: { thresholds: [{ max_requests: 8192, max_pending_requests: 8192 }] },
    typed_extension_protocol_options: {
      [options]: {
        "@type": `type.googleapis.com/${options}`,
        // Fewer than after which Gatehouse asks for another one: what crosses its GOAWAY gets no answer.
        common_http_protocol_options: { max_requests_per_connection: 500 },
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}
