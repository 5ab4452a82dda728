import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { type Bootstrap, type Envoy, startEnvoy } from "./envoy.js";
import { freePort } from "./ports.js";

const bootstrap = fileURLToPath(new URL("../../envoy/ext-authz.yaml", import.meta.url));

/** How an Envoy that reports differs from `envoy/ext-authz.yaml`. */
export interface ReportingEnvoy {
  /** Ports of Gatehouse. */
  readonly gatehouse: readonly number[];
  /** Where the access log goes, by a cluster of its own. */
  readonly logsTo?: readonly number[];
  /** For a slow receiver of the log 64 KiB wait, not as much as Envoy's own window is (many MiB), before entries are dropped. */
  readonly keepsLittle?: boolean;
  /** Only those that say they are well are asked. */
  readonly checksHealth?: boolean;
  readonly concurrency?: number;
  /** False: routes do not say which workload is called, so it is the node's. */
  readonly namesWorkload?: boolean;
  readonly node?: { readonly id: string; readonly metadata: object };
  /** Last change, to what the access log's common_config says. */
  readonly log?: object;
}

interface Manager {
  access_log: { name: string; typed_config: { common_config?: Record<string, unknown> } }[];
  http_filters: { name: string; typed_config: Record<string, unknown> }[];
}
interface Cluster {
  name: string;
  load_assignment: { cluster_name: string; endpoints: object[] };
  health_checks?: object[];
  typed_extension_protocol_options: Record<
    string,
    { explicit_http_config: { http2_protocol_options: Record<string, unknown> } }
  >;
}

/** Starts it, with an upstream that it is itself: what a load costs is then Envoy's and Gatehouse's alone. */
export async function startReportingEnvoy(options: ReportingEnvoy): Promise<Envoy> {
  const { gatehouse, logsTo, checksHealth = false, concurrency = 2, node, log } = options;
  const given = parse(await readFile(bootstrap, "utf8")) as Bootstrap;
  const { listeners, clusters } = given["static_resources"] as { listeners: object[]; clusters: Cluster[] };
  const [listener] = listeners as { filter_chains: { filters: { typed_config: Manager }[] }[] }[];
  const manager = listener?.filter_chains[0]?.filters[0]?.typed_config;
  const asked = clusters.find(({ name }) => name === "gatehouse");
  if (manager === undefined || asked === undefined) throw new Error("the bootstrap has another shape");
  // 100,000 lines on Envoy's standard output are of no use.
  manager.access_log = manager.access_log.filter(({ typed_config }) => typed_config.common_config);
  for (const { name, typed_config: config } of manager.http_filters) {
    if (name !== "envoy.filters.http.ext_authz") continue;
    config["grpc_service"] = { envoy_grpc: { cluster_name: "gatehouse" }, timeout: "30s" };
  }
  setPorts(asked, gatehouse, checksHealth);
  const common = manager.access_log[0]?.typed_config.common_config ?? {};
  if (logsTo !== undefined) {
    const logs = structuredClone(asked);
    const protocol = Object.values(logs.typed_extension_protocol_options)[0]?.explicit_http_config;
    if (options.keepsLittle === true && protocol !== undefined)
      protocol.http2_protocol_options["initial_stream_window_size"] = 65_535;
    logs.name = logs.load_assignment.cluster_name = "logs";
    setPorts(logs, logsTo, checksHealth);
    clusters.push(logs);
    common["grpc_service"] = { envoy_grpc: { cluster_name: "logs" } };
  }
  Object.assign(common, log);
  if (options.namesWorkload === false) {
    const named = (tag: string): boolean => tag.startsWith("destination_");
    common["custom_tags"] = (common["custom_tags"] as { tag: string }[]).filter(({ tag }) => !named(tag));
  }
  listeners.push(answering());
  if (node !== undefined) Object.assign(given["node"] as object, node);
  const upstream = await freePort();
  return startEnvoy({
    bootstrap: given,
    listeners: { upstream },
    clusters: { upstream },
    concurrency,
  });
}

function setPorts(cluster: Cluster, ports: readonly number[], checksHealth: boolean): void {
  const endpoints = ports.map((port) => ({
    endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } },
  }));
  cluster.load_assignment.endpoints = [{ lb_endpoints: endpoints }];
  if (!checksHealth) return;
  const often = { interval: "0.2s", no_traffic_interval: "0.2s" };
  cluster.health_checks = [
    { timeout: "1s", ...often, unhealthy_threshold: 1, healthy_threshold: 1, grpc_health_check: {} },
  ];
}

/** A listener that answers everything by itself. */
function answering(): object {
  const type = "type.googleapis.com/envoy.extensions.filters";
  const routes = [{ match: { prefix: "/" }, direct_response: { status: 200 } }];
  const router = { "@type": `${type}.http.router.v3.Router` };
  const manager = {
    "@type": `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "upstream",
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
    http_filters: [{ name: "envoy.filters.http.router", typed_config: router }],
  };
  return {
    name: "upstream",
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [
      { filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] },
    ],
  };
}

/** Envoy's own counters of its gRPC access log. */
export interface EnvoyLogCounters {
  /** Entries that it put into a buffer. */
  readonly logs_written: number;
  /** Entries that it threw away: the buffer was full, and what was sent before was not taken. */
  readonly logs_dropped: number;
  /** Entries that it sent, or gave to a stream that never had a connection. */
  readonly grpc_entries_flushed: number;
  readonly grpc_entries_flush_failed: number;
}

/** Reads them. */
export async function logCountersOf(envoy: Envoy): Promise<EnvoyLogCounters> {
  const text = await envoy.adminText("/stats?filter=^access_logs\\.");
  const read = (name: keyof EnvoyLogCounters): number =>
    Number(new RegExp(`^access_logs\\.grpc_access_log\\.${name}: (\\d+)$`, "m").exec(text)?.[1] ?? 0);
  return {
    logs_written: read("logs_written"),
    logs_dropped: read("logs_dropped"),
    grpc_entries_flushed: read("grpc_entries_flushed"),
    grpc_entries_flush_failed: read("grpc_entries_flush_failed"),
  };
}
