import { createReadStream, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { type Child, startChild } from "./child.js";
import { type Bootstrap, type Envoy, startEnvoy } from "./envoy.js";
import { freePort } from "./ports.js";

const bootstrap = fileURLToPath(new URL("../../envoy/ext-authz.yaml", import.meta.url));
/** What `npm test` has built: it starts in a quarter of the time that the sources take. */
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

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
  /** False: without an audit file. */
  readonly audits?: boolean;
  /** Further sinks of decisions. */
  readonly sinks?: readonly object[];
  /** Headers that decisions are written with. */
  readonly headers?: readonly string[];
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
    decisionLog: {
      sinks: [{ name: "file", file: { path: decisions }, strict }, ...(mesh.sinks ?? [])],
      include: { requestHeaders: mesh.headers ?? [] },
    },
    ...(mesh.audits !== false && { audit: { path: audit, strict } }),
  };
  const documents = [
    {
      apiVersion: "gatehouse.dev/v1alpha1",
      kind: "Mesh",
      metadata: { name: "mesh" },
      spec,
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
  readonly child: Child;
  /** Sums over the series of a metric whose labels contain the text, by the value of one label; "" where it is missing. */
  sums(metric: string, label?: string, containing?: string): Promise<Readonly<Record<string, number>>>;
  /** Over all series whose labels contain the text. */
  total(metric: string, containing?: string): Promise<number>;
  /** What became of what was given to each sink, at one moment. */
  sinks(): Promise<Readonly<Record<string, SinkAccount>>>;
  /** Sends SIGTERM, and waits until the process has ended. */
  end(): Promise<void>;
  kill(): Promise<void>;
}

/** Of one sink: what it was given is the sum of all these. */
export interface SinkAccount {
  readonly delivered: number;
  readonly queued: number;
  /** By reason. */
  readonly dropped: Readonly<Record<string, number>>;
}

/** All that was given to a sink. */
export function givenTo({ delivered, queued, dropped }: SinkAccount): number {
  return Object.values(dropped).reduce((sum, count) => sum + count, delivered + queued);
}

/** How a Gatehouse is started. */
export interface GatehouseStart {
  readonly flags?: readonly string[];
  /** Any free one by default. */
  readonly port?: number;
  /** No file of its can grow beyond that, as on a disk that is full. */
  readonly fileKiB?: number | undefined;
}

/** Starts it and waits until it listens. */
export async function startGatehouse(
  config: string,
  { flags = [], port = 0, fileKiB }: GatehouseStart = {},
): Promise<Gatehouse> {
  const addresses = ["--grpc-address", `127.0.0.1:${port}`, "--admin-address", "127.0.0.1:0"];
  const command = [process.execPath, main, "serve", "--config", config, ...addresses, ...flags];
  const [file = "", ...args] =
    fileKiB === undefined
      ? command
      : // Units of 512 bytes. Node ignores SIGXFSZ, so a write fails with EFBIG.
        ["sh", "-c", `ulimit -f ${fileKiB * 2}; exec "$0" "$@"`, ...command];
  return gatehouseOf(await startChild(file, args));
}

/** A `gatehouse serve` that was started. */
async function gatehouseOf(child: Child): Promise<Gatehouse> {
  const { grpc, admin } = await new Promise<{ readonly grpc: string; readonly admin: string }>(
    (resolve, reject) => {
      child.onLine((line) => {
        if (line.startsWith("{")) resolve(JSON.parse(line) as never);
      });
      void child.exited.then(() =>
        reject(new Error(`gatehouse ended before it listened: ${child.output()}`)),
      );
    },
  );
  const page = async (): Promise<string> => (await fetch(`http://${admin}/metrics`)).text();
  const series = async (metric: string): Promise<readonly Series[]> => seriesOf(await page(), metric);
  const send = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await child.exited;
  };
  return {
    port: Number(grpc.split(":").at(-1)),
    admin,
    child,
    async sums(metric, label, containing = "") {
      const sums: Record<string, number> = {};
      for (const [labels, value] of await series(metric)) {
        if (!labels.includes(containing)) continue;
        const key = labelIn(labels, label ?? "-");
        sums[key] = (sums[key] ?? 0) + value;
      }
      return sums;
    },
    async sinks() {
      const text = await page();
      const accounts: Record<string, { delivered: number; queued: number; dropped: Record<string, number> }> =
        {};
      const accountOf = (labels: string): (typeof accounts)[string] => {
        const sink = labelIn(labels, "sink");
        accounts[sink] ??= { delivered: 0, queued: 0, dropped: {} };
        return accounts[sink];
      };
      for (const [labels, value] of seriesOf(text, "gatehouse_sink_delivered_total"))
        accountOf(labels).delivered += value;
      for (const [labels, value] of seriesOf(text, "gatehouse_sink_queue_entries"))
        accountOf(labels).queued += value;
      for (const [labels, value] of seriesOf(text, "gatehouse_sink_dropped_total"))
        accountOf(labels).dropped[labelIn(labels, "reason")] = value;
      return accounts;
    },
    async total(metric, containing = "") {
      const found = (await series(metric)).filter(([labels]) => labels.includes(containing));
      return found.reduce((sum, [, value]) => sum + value, 0);
    },
    end: () => send("SIGTERM"),
    kill: () => send("SIGKILL"),
  };
}

type Series = readonly [labels: string, value: number];

function seriesOf(page: string, metric: string): readonly Series[] {
  const pattern = new RegExp(`^${metric}(?:\\{(.*)\\})? (\\S+)$`, "gm");
  return [...page.matchAll(pattern)].map(([, labels = "", value]) => [labels, Number(value)] as const);
}

function labelIn(labels: string, name: string): string {
  return new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? "";
}

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
