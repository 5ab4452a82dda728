import { toRbac } from "../../src/istio/index.js";
import type { Bootstrap } from "../../test/support/envoy.js";
import { benchPolicies } from "../micro/snapshot.js";
import { benchWorkload, type PolicyCounts } from "../policies.js";

const httpFilter = "type.googleapis.com/envoy.extensions.filters.http";

/**
 * One Envoy with a listener for each way to decide: `alone`, `native` (Envoy's own RBAC filter by our
 * translation of the policies) and one for each cluster. Each answers 200 itself, so that no upstream is
 * measured.
 */
export async function benchBootstrap(
  policies: PolicyCounts,
  clusters: Readonly<Record<string, number>>,
): Promise<Bootstrap> {
  return {
    admin: {},
    static_resources: {
      listeners: [
        listener("alone", []),
        listener("native", await nativeFilters(policies)),
        ...Object.keys(clusters).map((name) => listener(name, [extAuthz(name)])),
      ],
      clusters: Object.entries(clusters).map(([name, port]) => cluster(name, port)),
    },
  };
}

function listener(name: string, filters: readonly object[]): object {
  const router = { name: "router", typed_config: { "@type": `${httpFilter}.router.v3.Router` } };
  const extensions = {
    "destination.namespace": benchWorkload.namespace,
    "destination.workload.name": benchWorkload.name,
    "destination.labels[app]": benchWorkload.labels.app,
  };
  const typed_per_filter_config = {
    "envoy.filters.http.ext_authz": {
      "@type": `${httpFilter}.ext_authz.v3.ExtAuthzPerRoute`,
      check_settings: { context_extensions: extensions },
    },
  };
  const direct = { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "ok" } } };
  const manager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: name,
    normalize_path: true,
    http_filters: [...filters, router],
    route_config: {
      virtual_hosts: [{ name: "all", domains: ["*"], routes: [direct], typed_per_filter_config }],
    },
  };
  return {
    name,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [
      { filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] },
    ],
  };
}

/** Istio's order: one filter for all DENY rules, then one for all ALLOW rules. */
async function nativeFilters(counts: PolicyCounts): Promise<object[]> {
  const translated = (await benchPolicies(counts)).map((policy) =>
    toRbac(policy, "http", { trustDomain: "cluster.local", aliases: [] }),
  );
  return (["DENY", "ALLOW"] as const).map((action) => {
    const policies = Object.assign(
      {},
      ...translated.filter((one) => one.action === action).map((one) => one.policies),
    );
    return {
      name: `rbac-${action}`,
      typed_config: { "@type": `${httpFilter}.rbac.v3.RBAC`, rules: { action, policies } },
    };
  });
}

/** As our bootstraps have it. */
function extAuthz(clusterName: string): object {
  return {
    name: "envoy.filters.http.ext_authz",
    typed_config: {
      "@type": `${httpFilter}.ext_authz.v3.ExtAuthz`,
      transport_api_version: "V3",
      grpc_service: {
        envoy_grpc: { cluster_name: clusterName },
        timeout: "5s",
      },
      failure_mode_allow: false,
      validate_mutations: true,
      encode_raw_headers: true,
      include_peer_certificate: true,
      include_tls_session: true,
    },
  };
}

function cluster(name: string, port: number): object {
  const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    circuit_breakers: { thresholds: [{ max_requests: 8192, max_pending_requests: 8192 }] },
    typed_extension_protocol_options: {
      [options]: {
        "@type": `type.googleapis.com/${options}`,
        explicit_http_config: { http2_protocol_options: { max_concurrent_streams: 4 } },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } } },
          ],
        },
      ],
    },
  };
}
