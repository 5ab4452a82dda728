import { join } from "node:path";
import protobuf from "protobufjs";
import type { Workload } from "../../../src/attributes/index.js";
import type { Registry } from "../../../src/envoy/als/ends.js";
import {
  type AccessLogSkip,
  type AccessLogStream,
  createAccessLogService,
} from "../../../src/envoy/index.js";
import type { Report } from "../../../src/report/index.js";

const folder = join(import.meta.dirname, "..", "..", "..", "proto");

function loadRoot(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_, target) => (target.startsWith("google/") ? target : join(folder, target));
  root.loadSync("envoy/service/accesslog/v3/als.proto", { keepCase: true });
  root.resolveAll();
  return root;
}

/** StreamAccessLogsMessage, whole. */
export const messageType: protobuf.Type = loadRoot().lookupType(
  "envoy.service.accesslog.v3.StreamAccessLogsMessage",
);

/** A message in the form of protobufjs, with snake_case names. */
export type Plain = Record<string, unknown>;

export const encode = (message: Plain): Uint8Array =>
  messageType.encode(messageType.fromObject(message)).finish();

export const http = (...entries: readonly Plain[]): Uint8Array =>
  encode({ http_logs: { log_entry: entries } });
export const tcp = (...entries: readonly Plain[]): Uint8Array => encode({ tcp_logs: { log_entry: entries } });

export const identified = (node: Plain, logName = "log"): Uint8Array =>
  encode({ identifier: { node, log_name: logName } });

export const socket = (address: string, port: number): Plain => ({
  socket_address: { address, port_value: port },
});

/** JSON as a google.protobuf.Struct. */
export function struct(object: Plain): Plain {
  return {
    fields: Object.fromEntries(Object.entries(object).map(([name, value]) => [name, toValue(value)])),
  };
}

function toValue(value: unknown): Plain {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "number") return { numberValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(toValue) } };
  if (typeof value !== "object" || value === null) return { nullValue: 0 };
  return { structValue: struct(value as Plain) };
}

/** What the metadata of a decision of ours are. */
export const decision = (gatehouse: Plain, filter = "envoy.filters.http.ext_authz"): Plain => ({
  filter_metadata: { [filter]: struct({ decision_id: "d-1", gatehouse }) },
});

/** The node of a sidecar, as Istio's agent describes it. */
export const sidecar: Plain = {
  id: "sidecar~10.0.0.7~web-1.shop~shop.svc.cluster.local",
  cluster: "web.shop",
  metadata: struct({
    NAMESPACE: "shop",
    WORKLOAD_NAME: "web-v1",
    CLUSTER_ID: "east",
    LABELS: { app: "web", version: "v1", "service.istio.io/canonical-name": "web-svc" },
    PROXY_CONFIG: { concurrency: 2 },
  }),
  extensions: [{ name: "envoy.filters.http.router", category: "envoy.filters.http" }],
};

/** Reads a message to its end; gives how many entries were done with each step. */
export const readAll = (stream: AccessLogStream, message: Uint8Array): readonly number[] => [
  ...stream.read(message),
];

/** A service that keeps what it is told. */
export interface Listening {
  readonly reports: Report[];
  readonly skipped: AccessLogSkip[];
  readonly errors: unknown[];
  open(): AccessLogStream;
  /** All messages on a stream of their own; gives their reports. */
  receive(...messages: readonly Uint8Array[]): readonly Report[];
}

export interface Surroundings {
  readonly lookup?: Registry["lookup"];
  readonly defaultWorkload?: Workload;
  readonly hostFallback?: boolean;
  readonly now?: number;
  readonly report?: (report: Report) => void;
}

export function listening(surroundings: Surroundings = {}): Listening {
  const reports: Report[] = [];
  const skipped: AccessLogSkip[] = [];
  const errors: unknown[] = [];
  const { lookup = () => undefined, defaultWorkload, hostFallback = false, now = 0, report } = surroundings;
  const registry = { lookup, mesh: { defaultWorkload } } as Registry;
  const service = createAccessLogService({
    current: () => registry,
    report: report ?? ((one) => void reports.push(one)),
    onSkipped: (reason) => void skipped.push(reason),
    onError: (error) => void errors.push(error),
    now: () => now,
    hostFallback,
  });
  return {
    reports,
    skipped,
    errors,
    open: () => service.open(),
    receive: (...messages) => {
      const before = reports.length;
      const stream = service.open();
      for (const message of messages) readAll(stream, message);
      return reports.slice(before);
    },
  };
}

/** The one report of an HTTP entry. */
export function reportOf(entry: Plain, surroundings: Surroundings = {}, node: Plain = {}): Report {
  const { receive } = listening(surroundings);
  const [report] = receive(identified(node), http(entry));
  if (report === undefined) throw new Error("the entry gave no report");
  return report;
}
