import { createReadStream, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { type Started, startCli } from "./cli.js";
import { type Bootstrap, type Envoy, startEnvoy } from "./envoy.js";
import { freePort } from "./ports.js";

const bootstrap = fileURLToPath(new URL("../../envoy/ext-authz.yaml", import.meta.url));

/** A folder with a configuration that keeps records, and the files that they go to. */
export interface RecordFolder {
  readonly path: string;
  readonly config: string;
  readonly access: string;
  readonly decisions: string;
  readonly audit: string;
  remove(): void;
}

/** What the Mesh says beside its three files. */
export interface RecordMesh {
  /** In place of the file's own. */
  readonly access?: string;
  readonly decisions?: string;
  /** Further sinks of decisions. */
  readonly sinks?: readonly object[];
  /** Neither an access log nor decisions nor an audit file. */
  readonly bare?: boolean;
  readonly strict?: boolean;
}

/** Where a request is refused; all else is allowed. */
export const REFUSED = "/secret";

/** Makes the folder: an access log, decisions and an audit file, and a policy that refuses one path. */
export function makeRecordFolder(mesh: RecordMesh = {}): RecordFolder {
  const path = mkdtempSync(join(tmpdir(), "gatehouse-records-"));
  const config = join(path, "config.yaml");
  const access = mesh.access ?? join(path, "access.log");
  const decisions = mesh.decisions ?? join(path, "decisions.log");
  const audit = join(path, "audit.log");
  const strict = mesh.strict === true;
  const format = {
    decision_id: "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:decision_id)%",
    code: "%RESPONSE_CODE%",
    path: "%PATH(NQ)%",
  };
  const spec = {
    accessLogFile: access,
    accessLogEncoding: "JSON",
    accessLogFormat: JSON.stringify(format),
    decisionLog: { sinks: [{ name: "file", file: { path: decisions }, strict }, ...(mesh.sinks ?? [])] },
    audit: { path: audit, strict },
  };
  const documents = [
    {
      apiVersion: "gatehouse.dev/v1alpha1",
      kind: "Mesh",
      metadata: { name: "mesh" },
      spec: mesh.bare === true ? {} : spec,
    },
    {
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: "no-secrets", namespace: "bookshop" },
      spec: { action: "DENY", rules: [{ to: [{ operation: { paths: [REFUSED] } }] }] },
    },
  ];
  writeFileSync(config, documents.map((document) => stringify(document)).join("---\n"));
  const remove = (): void => rmSync(path, { recursive: true, force: true });
  return { path, config, access, decisions, audit, remove };
}

/** A `gatehouse serve` of its own process. */
export interface Gatehouse {
  readonly port: number;
  readonly admin: string;
  readonly started: Started;
  /** Sums over the series of a metric, by the value of one of its labels; "" where it has none. */
  sums(metric: string, label?: string): Promise<Readonly<Record<string, number>>>;
  /** Over all series whose labels contain the text. */
  total(metric: string, containing?: string): Promise<number>;
  /** Sends SIGTERM, and waits until the process has ended. */
  end(): Promise<void>;
  kill(): Promise<void>;
}

/** Starts it on a free port, or on the given one. */
export async function startGatehouse(
  config: string,
  flags: readonly string[] = [],
  port = 0,
): Promise<Gatehouse> {
  const addresses = ["--grpc-address", `127.0.0.1:${port}`, "--admin-address", "127.0.0.1:0"];
  const started = startCli(["serve", "--config", config, ...addresses, ...flags]);
  const { grpc, admin } = await started.listening;
  const series = async (metric: string): Promise<readonly (readonly [labels: string, value: number])[]> => {
    const text = await (await fetch(`http://${admin}/metrics`)).text();
    const pattern = new RegExp(`^${metric}(?:\\{(.*)\\})? (\\S+)$`, "gm");
    return [...text.matchAll(pattern)].map(([, labels = "", value]) => [labels, Number(value)] as const);
  };
  const send = async (signal: NodeJS.Signals): Promise<void> => {
    started.process.kill(signal);
    await started.finished;
  };
  return {
    port: Number(grpc.split(":").at(-1)),
    admin,
    started,
    async sums(metric, label) {
      const sums: Record<string, number> = {};
      for (const [labels, value] of await series(metric)) {
        const [, key = ""] = new RegExp(`(?:^|,)${label ?? "-"}="([^"]*)"`).exec(labels) ?? [];
        sums[key] = (sums[key] ?? 0) + value;
      }
      return sums;
    },
    async total(metric, containing = "") {
      const found = (await series(metric)).filter(([labels]) => labels.includes(containing));
      return found.reduce((sum, [, value]) => sum + value, 0);
    },
    end: () => send("SIGTERM"),
    kill: () => send("SIGKILL"),
  };
}

/** How an Envoy that reports differs from `envoy/ext-authz.yaml`. */
export interface ReportingEnvoy {
  /** Ports of Gatehouse. */
  readonly gatehouse: readonly number[];
  /** Where the access log goes, by a cluster of its own. */
  readonly logsTo?: readonly number[];
  /** Of several ports the first that is healthy is asked, instead of all in turn. */
  readonly failsOver?: boolean;
  readonly concurrency?: number;
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
}

/** Starts it, with an upstream that it is itself: what a load costs is then Envoy's and Gatehouse's alone. */
export async function startReportingEnvoy(options: ReportingEnvoy): Promise<Envoy> {
  const { gatehouse, logsTo, failsOver = false, concurrency = 2, node, log } = options;
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
  setPorts(asked, gatehouse, failsOver);
  const common = manager.access_log[0]?.typed_config.common_config ?? {};
  if (logsTo !== undefined) {
    const logs = structuredClone(asked);
    logs.name = logs.load_assignment.cluster_name = "logs";
    setPorts(logs, logsTo, failsOver);
    clusters.push(logs);
    common["grpc_service"] = { envoy_grpc: { cluster_name: "logs" } };
  }
  Object.assign(common, log);
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

function setPorts(cluster: Cluster, ports: readonly number[], failsOver: boolean): void {
  const endpoints = ports.map((port) => ({
    endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } },
  }));
  const { load_assignment: assignment } = cluster;
  if (!failsOver) {
    assignment.endpoints = [{ lb_endpoints: endpoints }];
    return;
  }
  assignment.endpoints = endpoints.map((endpoint, priority) => ({ priority, lb_endpoints: [endpoint] }));
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

/** Gives each line of a file, parsed. */
export async function eachLine(file: string, take: (line: Record<string, unknown>) => void): Promise<void> {
  if (!existsSync(file)) return;
  for await (const line of createInterface({ input: createReadStream(file) }))
    take(JSON.parse(line) as never);
}

/** How often each value of a field stands in a file of JSON lines, and how many lines there are. */
export async function countBy(
  file: string,
  field: string,
): Promise<{ readonly lines: number; readonly values: ReadonlyMap<string, number> }> {
  const values = new Map<string, number>();
  let lines = 0;
  await eachLine(file, (line) => {
    lines += 1;
    const value = String(line[field]);
    values.set(value, (values.get(value) ?? 0) + 1);
  });
  return { lines, values };
}
