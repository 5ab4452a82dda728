import { fileURLToPath } from "node:url";
import { type Bootstrap, type Envoy, startEnvoy } from "./envoy.js";

/** What an Envoy that counts differs in from `envoy/ratelimit.yaml`. */
export interface CountingEnvoyOptions {
  /** Where Gatehouse listens; several are replicas behind one cluster. */
  readonly gatehouse: readonly number[];
  readonly upstream: number;
  /** In place of the file's routes, all to the upstream; `rate_limits` as of RateLimitPerRoute. */
  readonly routes?: readonly CountedRoute[];
  /** Leaves `failure_mode_deny` out. */
  readonly failsOpen?: boolean;
}

/** A route with limits of its own. */
export interface CountedRoute {
  readonly prefix: string;
  /** Another than the filter's. */
  readonly domain?: string;
  readonly rateLimits: readonly object[];
}

interface Manager {
  http_filters: { name: string; typed_config: Record<string, unknown> }[];
  route_config: { virtual_hosts: { routes: object[] }[] };
}

interface Shape {
  static_resources: {
    listeners: { filter_chains: { filters: { typed_config: Manager }[] }[] }[];
    clusters: { name: string; load_assignment: { endpoints: { lb_endpoints: object[] }[] } }[];
  };
}

const bootstrap = fileURLToPath(new URL("../../envoy/ratelimit.yaml", import.meta.url));
const perRoute = "type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute";

/** Starts an Envoy that asks with `envoy/ratelimit.yaml`, and waits longer for answers: a machine of tests is busy. */
export function startCountingEnvoy(options: CountingEnvoyOptions): Promise<Envoy> {
  return startEnvoy({ bootstrap, clusters: { upstream: options.upstream }, edit: (it) => edit(it, options) });
}

function edit(given: Bootstrap, { gatehouse, routes, failsOpen }: CountingEnvoyOptions): void {
  const { listeners, clusters } = (given as unknown as Shape).static_resources;
  const manager = listeners[0]?.filter_chains[0]?.filters[0]?.typed_config;
  const [host] = manager?.route_config.virtual_hosts ?? [];
  if (manager === undefined || host === undefined) throw new Error("the bootstrap has another shape");
  for (const { name, typed_config: config } of manager.http_filters) {
    if (name === "envoy.filters.http.ext_authz") {
      config["grpc_service"] = { envoy_grpc: { cluster_name: "gatehouse" }, timeout: "30s" };
    }
    if (name === "envoy.filters.http.ratelimit") {
      config["timeout"] = "30s";
      if (failsOpen === true) delete config["failure_mode_deny"];
    }
  }
  if (routes !== undefined) host.routes = [...routes.map(routeOf), routeOf({ prefix: "/", rateLimits: [] })];
  const [endpoints] = clusters.find(({ name }) => name === "gatehouse")?.load_assignment.endpoints ?? [];
  if (endpoints === undefined) throw new Error("the bootstrap has no cluster `gatehouse`");
  endpoints.lb_endpoints = gatehouse.map((port) => ({
    endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } },
  }));
}

function routeOf({ prefix, domain, rateLimits }: CountedRoute): object {
  return {
    match: { prefix },
    route: { cluster: "upstream" },
    typed_per_filter_config: {
      "envoy.filters.http.ratelimit": {
        "@type": perRoute,
        ...(domain !== undefined && { domain }),
        rate_limits: rateLimits,
      },
    },
  };
}
