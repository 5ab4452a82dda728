import { pino } from "pino";
import { stringify } from "yaml";
import type { Report } from "../../src/report/index.js";
import { startServer } from "../../src/server/index.js";
import { startLogTap } from "./access-log-taps.js";
import { extProcOf, type HttpManager, startBodyEnvoy } from "./body-envoy.js";
import type { Bootstrap } from "./envoy.js";
import { type HttpAnswer, send } from "./http.js";
import { eventually, makeConfigFolder } from "./server-fixture.js";
import { type Speak, startSpokenUpstream } from "./spoken-upstream.js";

/** The filters in front of the upstream: `envoy/ext-proc.yaml` or `envoy/bodies.yaml`. */
export type Chain = "alone" | "behind";

/** What one request left behind. */
export interface Logged {
  readonly answer: HttpAnswer;
  /** What Envoy said of it. */
  readonly report: Report;
  /** The line of `/decisions`, when that is known to Gatehouse. */
  readonly record: Readonly<Record<string, unknown>>;
}

/** An Envoy whose access log goes to a tap and to the Gatehouse that decides and looks at bodies. */
export interface ProcLogStage {
  readonly happen: (path: string) => Promise<Logged>;
  readonly faults: readonly unknown[];
  readonly stop: () => Promise<void>;
}

/** Starts it all on loopback. */
export async function startProcLogStage(
  chain: Chain,
  policies: string,
  routes: Readonly<Record<string, Speak>>,
): Promise<ProcLogStage> {
  const folder = makeConfigFolder();
  folder.write("policies.yaml", policies);
  const server = await startServer(
    { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
    { logger: pino({ level: "silent" }), now: Date.now },
  );
  const tap = await startLogTap();
  const upstream = await startSpokenUpstream(routes);
  const envoy = await startBodyEnvoy({
    bootstrap: chain === "alone" ? "ext-proc" : "bodies",
    gatehouse: Number(server.grpcAddress.split(":").at(-1)),
    upstream: upstream.port,
    edit: editManager,
    editAll: (bootstrap) => addTap(bootstrap, tap.port),
  });
  const recordsOf = async (id: string): Promise<readonly Record<string, unknown>[]> => {
    const page = await fetch(`http://${server.adminAddress}/decisions?decision_id=${id}`);
    return ((await page.json()) as { decisions: Record<string, unknown>[] }).decisions;
  };
  return {
    async happen(path) {
      const before = tap.reports.length;
      const headers = { host: "shop.example", "user-agent": "caller/1" };
      const answer = await send({ port: envoy.ports["http"] ?? 0, path, headers });
      await eventually(() => tap.reports.length, before + 1, 10_000);
      const report = tap.reports[before] as Report;
      let records: readonly Record<string, unknown>[] = [];
      await eventually(
        async () => {
          records = await recordsOf(report.check.decisionId);
          return records.length === 1 && records[0]?.["response"] !== null;
        },
        true,
        10_000,
      );
      return { answer, report, record: records[0] ?? {} };
    },
    faults: tap.faults,
    async stop() {
      await envoy.stop();
      await upstream.stop();
      tap.stop();
      await server.close();
      folder.remove();
    },
  };
}

interface GrpcLog {
  name: string;
  typed_config: { common_config?: Record<string, unknown> };
}

function editManager(manager: HttpManager): void {
  // A machine of tests is busy.
  extProcOf(manager)["message_timeout"] = "20s";
  for (const { name, typed_config: config } of manager.http_filters) {
    if (name !== "envoy.filters.http.ext_authz") continue;
    config["grpc_service"] = { ...(config["grpc_service"] as object), timeout: "20s" };
  }
  const log = (manager.access_log as GrpcLog[]).find(({ typed_config: config }) => config.common_config);
  if (log?.typed_config.common_config === undefined) throw new Error("the bootstrap has no log to Gatehouse");
  log.typed_config.common_config["buffer_flush_interval"] = "0.05s";
  const tap = structuredClone(log);
  Object.assign(tap.typed_config.common_config as object, {
    log_name: "tap",
    grpc_service: { envoy_grpc: { cluster_name: "tap" } },
  });
  manager.access_log.push(tap);
  // Its number of digits would be in the goldens.
  Object.assign(manager.route_config, { response_headers_to_remove: ["x-envoy-upstream-service-time"] });
}

interface Cluster {
  name: string;
  load_assignment: {
    cluster_name: string;
    endpoints: { lb_endpoints: { endpoint: { address: { socket_address: { port_value: number } } } }[] }[];
  };
}

function addTap(bootstrap: Bootstrap, port: number): void {
  const { clusters } = bootstrap["static_resources"] as { clusters: Cluster[] };
  const tap = structuredClone(clusters.find(({ name }) => name === "gatehouse") as Cluster);
  tap.name = tap.load_assignment.cluster_name = "tap";
  for (const { lb_endpoints: endpoints } of tap.load_assignment.endpoints)
    for (const { endpoint } of endpoints) endpoint.address.socket_address.port_value = port;
  clusters.push(tap);
}

const ANY = "*";

/** Members of a record that are another value each time. */
const varying: ReadonlySet<string> = new Set([
  ...["time", "decision_id", "request_id", "duration_ms", "upstream_ms", "check_latency_ms"],
  ...["upstream_address", "seq", "cursor"],
]);

/** A record as YAML: what varies is a star. */
export function goldenRecord(record: Readonly<Record<string, unknown>>): string {
  const starred = (key: string, value: unknown): unknown =>
    varying.has(key) && value !== null ? ANY : value;
  // Envoy writes this machine's own address into the request.
  const response = { ...(record["response"] as object), request_bytes: ANY };
  return stringify(JSON.parse(JSON.stringify({ ...record, response }, starred)), { lineWidth: 0 });
}
