import { Buffer } from "node:buffer";
import { pino } from "pino";
import { startServer } from "../../src/server/index.js";
import { type HttpManager, startBodyEnvoy } from "./body-envoy.js";
import { type SpecialPolicy, specialPolicies } from "./body-special-policies.js";
import type { Bootstrap, Envoy } from "./envoy.js";
import { type Ask, createProcClients, type Got } from "./ext-proc-clients.js";
import { procCounters } from "./ext-proc-envoy.js";
import { type ProcUpstreams, type Reply, startProcUpstreams } from "./ext-proc-upstreams.js";
import { freePort } from "./ports.js";
import { eventually, makeConfigFolder } from "./server-fixture.js";

/** Listeners beside `http`, which is the bootstrap's own, and how their ext_proc differs from its. */
const listeners = {
  observed: {
    observability_mode: true,
    deferred_close_timeout: "0.2s",
    processing_mode: { request_body_mode: "STREAMED", response_body_mode: "STREAMED" },
  },
  grpc: {
    processing_mode: {
      request_header_mode: "SEND",
      response_header_mode: "SEND",
      request_body_mode: "GRPC",
      response_body_mode: "GRPC",
      request_trailer_mode: "SEND",
      response_trailer_mode: "SEND",
    },
  },
  untold: { response_attributes: [] },
} as const;

/** Where a request enters Envoy. */
export type Entry = "http" | keyof typeof listeners;

/** A request; `policy` is what `x-policy` says, by which policies are chosen. */
export interface SpecialAsk extends Partial<Omit<Ask, "port" | "path">> {
  readonly entry?: Entry;
  readonly policy?: SpecialPolicy;
  /** `/NAME`: each request has its own, by which its record is found. */
  readonly path: string;
  readonly reply?: Reply;
}

/** What `/decisions` has of one request. */
export interface ShownDecision {
  readonly decision_id: string | null;
  readonly path: string | null;
  readonly response: object | null;
  readonly [member: string]: unknown;
}

/** A whole Gatehouse behind `envoy/ext-proc.yaml`, with upstreams that answer as each request says. */
export interface SpecialStage {
  readonly envoy: Envoy;
  readonly upstreams: ProcUpstreams;
  readonly port: (entry: Entry) => number;
  readonly send: (ask: SpecialAsk) => Promise<Got>;
  /** What is on record of this path, when Envoy's access log has told what became of it. */
  readonly record: (path: string) => Promise<ShownDecision>;
  readonly records: (path: string) => Promise<readonly ShownDecision[]>;
  /** The sum of a metric of Gatehouse, of the series that have these labels. */
  readonly total: (name: string, labels?: string) => Promise<number>;
  /** Messages that Gatehouse got so far, of each part, without those that none came of. */
  readonly parts: () => Promise<Readonly<Record<string, number>>>;
  /** What Envoy's counters of a listener's filter say that should be nothing. */
  readonly faults: (entry: Entry) => Promise<Readonly<Record<string, number>>>;
  readonly stop: () => Promise<void>;
}

/** Starts it all on loopback. */
export async function startSpecialStage(): Promise<SpecialStage> {
  const folder = makeConfigFolder();
  folder.write("policies.yaml", specialPolicies);
  const server = await startServer(
    { configPaths: [folder.path], grpcAddress: "127.0.0.1:0", adminAddress: "127.0.0.1:0" },
    { logger: pino({ level: "silent" }), now: Date.now },
  );
  const upstreams = await startProcUpstreams();
  const dead = await freePort();
  const envoy = await startBodyEnvoy({
    bootstrap: "ext-proc",
    gatehouse: Number(server.grpcAddress.split(":").at(-1)),
    upstream: upstreams.http1,
    edit: editManager,
    editAll: (bootstrap) => addListeners(bootstrap, upstreams.http2, dead),
  });
  const clients = createProcClients();
  const page = async (path: string): Promise<string> =>
    (await fetch(`http://${server.adminAddress}${path}`)).text();
  const series = async (name: string): Promise<readonly string[]> => {
    const lines = (await page("/metrics")).split("\n");
    return lines.filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  };
  const records = async (path: string): Promise<readonly ShownDecision[]> => {
    const { decisions } = JSON.parse(await page("/decisions?limit=1000")) as { decisions: ShownDecision[] };
    return decisions.filter((one) => one.path === path);
  };
  const port = (entry: Entry): number => envoy.ports[entry] ?? 0;
  return {
    envoy,
    upstreams,
    port,
    send: ({ entry = "http", policy = "none", reply, headers, ...ask }) =>
      clients.send({
        isHttp2: false,
        method: "GET",
        pieces: [],
        ...ask,
        port: port(entry),
        headers: {
          "x-id": ask.path,
          "x-policy": policy,
          ...(reply === undefined ? {} : { "x-reply": JSON.stringify(reply) }),
          ...headers,
        },
      }),
    async record(path) {
      let found: readonly ShownDecision[] = [];
      await eventually(
        async () => {
          found = await records(path);
          return found.length === 1 && found[0]?.response !== null;
        },
        true,
        10_000,
      );
      return found[0] as ShownDecision;
    },
    records,
    async total(name, labels = "") {
      const lines = (await series(name)).filter((line) => line.includes(labels));
      return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
    },
    async parts() {
      const lines = await series("gatehouse_ext_proc_messages_total");
      const counts = lines.map((line) => [/part="(\w+)"/.exec(line)?.[1], Number(line.split(" ").at(-1))]);
      return Object.fromEntries(counts) as Record<string, number>;
    },
    async faults(entry) {
      const counters = await procCounters(envoy, entry);
      const at = (name: string): number => counters.get(name) ?? Number.NaN;
      return {
        spurious: at("spurious_msgs_received"),
        rejected: at("rejected_header_mutations"),
        failed: at("streams_failed"),
        late: at("message_timeouts"),
        open: at("streams_started") - at("streams_closed"),
      };
    },
    async stop() {
      clients.close();
      await envoy.stop();
      await server.close();
      upstreams.stop();
      folder.remove();
    },
  };
}

const type = (name: string): string => `type.googleapis.com/envoy.${name}`;

/** `x-short: STATUS` is answered by a filter in front of ours. */
const short = {
  name: "short",
  typed_config: {
    "@type": type("extensions.filters.http.lua.v3.Lua"),
    default_source_code: {
      inline_string: `function envoy_on_request(handle)
        local status = handle:headers():get("x-short")
        if status ~= nil then handle:respond({[":status"] = status, ["x-remove"] = "me"}, "short") end
      end`,
    },
  },
};

function editManager(manager: HttpManager): void {
  manager["upgrade_configs"] = [{ upgrade_type: "websocket" }];
  manager["http_protocol_options"] = { enable_trailers: true };
  manager.http_filters.unshift(short);
  const routes = manager.route_config.virtual_hosts[0]?.routes;
  routes?.unshift(
    {
      match: { prefix: "/direct" },
      direct_response: { status: 418, body: { inline_string: "teapot" } },
    },
    { match: { prefix: "/dead" }, route: { cluster: "dead" } },
    {
      match: { prefix: "/", headers: [{ name: "x-up", string_match: { exact: "http2" } }] },
      route: { cluster: "http2" },
    },
  );
  for (const log of manager.access_log as { typed_config: { common_config?: Record<string, unknown> } }[]) {
    const { common_config: common } = log.typed_config;
    if (common !== undefined) common["buffer_flush_interval"] = "0.05s";
  }
  for (const { name, typed_config: config } of manager.http_filters) {
    // A machine of tests is busy.
    if (name === "envoy.filters.http.ext_proc") config["message_timeout"] = "20s";
  }
}

interface Listener {
  name: string;
  filter_chains: { filters: { typed_config: HttpManager }[] }[];
}
interface Cluster {
  name: string;
  load_assignment: {
    cluster_name: string;
    endpoints: { lb_endpoints: { endpoint: { address: { socket_address: { port_value: number } } } }[] }[];
  };
  [field: string]: unknown;
}

function addListeners(bootstrap: Bootstrap, http2: number, dead: number): void {
  const all = bootstrap["static_resources"] as { listeners: Listener[]; clusters: Cluster[] };
  const own = all.listeners[0] as Listener;
  for (const [name, filter] of Object.entries(listeners)) {
    const listener = structuredClone(own);
    listener.name = name;
    const manager = listener.filter_chains[0]?.filters[0]?.typed_config as HttpManager;
    manager["stat_prefix"] = name;
    for (const one of manager.http_filters) {
      if (one.name === "envoy.filters.http.ext_proc") Object.assign(one.typed_config, filter);
    }
    all.listeners.push(listener);
  }
  const upstream = all.clusters.find(({ name }) => name === "upstream") as Cluster;
  const protocol = (explicit: object): object => ({
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": type("extensions.upstreams.http.v3.HttpProtocolOptions"),
      explicit_http_config: explicit,
    },
  });
  for (const [name, port, explicit] of [
    ["http2", http2, { http2_protocol_options: {} }],
    ["dead", dead, { http_protocol_options: {} }],
  ] as const) {
    const cluster = structuredClone(upstream);
    cluster.name = cluster.load_assignment.cluster_name = name;
    cluster["typed_extension_protocol_options"] = protocol(explicit);
    for (const { lb_endpoints: endpoints } of cluster.load_assignment.endpoints)
      for (const { endpoint } of endpoints) endpoint.address.socket_address.port_value = port;
    all.clusters.push(cluster);
  }
  upstream["typed_extension_protocol_options"] = protocol({
    http_protocol_options: { enable_trailers: true },
  });
}

/** Of `faults`: there are none. */
export const noFaults: Readonly<Record<string, number>> = {
  spurious: 0,
  rejected: 0,
  failed: 0,
  late: 0,
  open: 0,
};

/** A message of gRPC as it is framed. */
export function grpcFrame(message: string): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(Buffer.byteLength(message), 1);
  return Buffer.concat([prefix, Buffer.from(message)]);
}
