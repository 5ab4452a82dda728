import grpc from "@grpc/grpc-js";
import type { MethodDefinition, ServiceDefinition } from "@grpc/proto-loader";
import { loadProtos } from "../../src/server/protos.js";

/** A request between two workloads, which the caller's and the callee's proxy report. */
export interface Call {
  readonly caller: string;
  readonly callee: string;
  readonly code: number;
  readonly flags: "-" | "UF";
  readonly grpcStatus: number | undefined;
  /** The callee saw the caller's certificate. */
  readonly isMutual: boolean;
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** A connection between two workloads. */
export interface Connection {
  readonly caller: string;
  readonly callee: string;
  readonly isMutual: boolean;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** Whether it is over, or was only reported while it lasts. */
  readonly isClosed: boolean;
}

/** What a load generator did. */
export interface Load {
  readonly calls: readonly Call[];
  readonly connections: readonly Connection[];
}

/** Namespaces of callers and callees. */
export const CALLERS = "frontends";
export const CALLEES = "bookshop";

const callers = ["web", "batch"];
const callees = ["books", "orders", "reviews"];
const codes = [200, 200, 200, 200, 201, 404, 200, 403, 200, 503, 200, 200, 500];

/** The service of a workload, as Kubernetes names it. */
export const serviceOf = (workload: string): string => `${workload}.${CALLEES}.svc.cluster.local`;

/** The same load each time, of so many requests, with a connection for each ten. */
export function makeLoad(requests: number): Load {
  const pick = <T>(list: readonly T[], i: number): T => list[i % list.length] as T;
  const calls = Array.from({ length: requests }, (_, i): Call => {
    const callee = pick(callees, Math.floor(i / 2));
    const isGrpc = callee === "reviews";
    const code = isGrpc ? 200 : pick(codes, i);
    return {
      caller: pick(callers, i),
      callee,
      code,
      flags: code === 503 ? "UF" : "-",
      grpcStatus: isGrpc ? pick([0, 0, 0, 5, 13], i) : undefined,
      isMutual: i % 7 !== 0,
      durationMs: 0.25 + ((i * 37) % 997) / 2,
      requestBytes: 90 + ((i * 53) % 4001),
      responseBytes: 120 + ((i * 91) % 70_001),
    };
  });
  const connections = Array.from({ length: Math.floor(requests / 10) }, (_, i): Connection => {
    const isClosed = i % 3 !== 0;
    return {
      caller: pick(callers, i),
      callee: "ledger",
      isMutual: i % 4 !== 0,
      receivedBytes: 1_000 + ((i * 17) % 503),
      sentBytes: 2_000 + ((i * 29) % 709),
      isClosed,
    };
  });
  return { calls, connections };
}

const principalOf = (namespace: string, workload: string): string =>
  `spiffe://cluster.local/ns/${namespace}/sa/${workload}`;

type Side = "source" | "destination";

/** Streams a load as the proxies of all its workloads would, each in one message, and ends the streams. */
export async function sendLoad(address: string, { calls, connections }: Load): Promise<void> {
  run += 1;
  const streams: Promise<void>[] = [];
  for (const name of callers) {
    const own = calls.filter(({ caller }) => caller === name).map((call, i) => httpEntry(call, "source", i));
    const tcp = connections.filter(({ caller }) => caller === name);
    streams.push(
      stream(address, { namespace: CALLERS, name, side: "source" }, own, tcpEntries(tcp, "source", name)),
    );
  }
  for (const name of [...callees, "ledger"]) {
    const own = calls
      .filter(({ callee }) => callee === name)
      .map((call, i) => httpEntry(call, "destination", i));
    const tcp = connections.filter(({ callee }) => callee === name);
    streams.push(
      stream(
        address,
        { namespace: CALLEES, name, side: "destination" },
        own,
        tcpEntries(tcp, "destination", name),
      ),
    );
  }
  await Promise.all(streams);
}

/** Connections of one run are not those of another. */
let run = 0;

async function stream(
  address: string,
  proxy: { readonly namespace: string; readonly name: string; readonly side: Side },
  http: readonly object[],
  tcp: readonly object[],
): Promise<void> {
  const service = loadProtos().packages["envoy.service.accesslog.v3.AccessLogService"] as ServiceDefinition;
  const { path, requestSerialize } = service["StreamAccessLogs"] as MethodDefinition<object, object>;
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
  });
  const fields = {
    NAMESPACE: { stringValue: proxy.namespace },
    WORKLOAD_NAME: { stringValue: proxy.name },
    CLUSTER_ID: { stringValue: "Kubernetes" },
    LABELS: {
      structValue: { fields: { app: { stringValue: proxy.name }, version: { stringValue: "v1" } } },
    },
  };
  const node = {
    id: `sidecar~192.0.2.1~${proxy.name}-0.${proxy.namespace}~${proxy.namespace}.svc.cluster.local`,
    cluster: `${proxy.name}.${proxy.namespace}`,
    metadata: { fields },
  };
  const messages: object[] = [{ identifier: { node, log_name: "mesh" }, http_logs: { log_entry: http } }];
  if (tcp.length > 0) messages.push({ tcp_logs: { log_entry: tcp } });
  try {
    await new Promise<void>((resolve, reject) => {
      const call = client.makeClientStreamRequest<object, Buffer>(
        path,
        requestSerialize,
        (bytes: Buffer) => bytes,
        { deadline: Date.now() + 20_000 } as never,
        (error) => (error === null ? resolve() : reject(error)),
      );
      for (const message of messages) call.write(message);
      call.end();
    });
  } finally {
    client.close();
  }
}

function httpEntry(call: Call, side: Side, index: number): object {
  const { code, grpcStatus, flags } = call;
  const common = {
    ...commonOf(call, side),
    duration: nanos(call.durationMs),
    time_to_last_downstream_tx_byte: nanos(call.durationMs),
    stream_id: `request-${run}-${index}`,
    downstream_wire_bytes_received: call.requestBytes,
    downstream_wire_bytes_sent: call.responseBytes,
    access_log_type: "DownstreamEnd",
    ...(flags === "UF" && { response_flags: { upstream_connection_failure: true } }),
  };
  return {
    common_properties: common,
    protocol_version: grpcStatus === undefined ? "HTTP11" : "HTTP2",
    request: {
      request_method: grpcStatus === undefined ? "GET" : "POST",
      scheme: "http",
      authority: serviceOf(call.callee),
      path: "/things?secret=1",
      request_id: `request-${run}-${index}`,
      ...(grpcStatus !== undefined && { request_headers: { "content-type": "application/grpc" } }),
    },
    response: {
      response_code: { value: code },
      response_code_details: flags === "UF" ? "upstream_reset_before_response_started" : "via_upstream",
      ...(grpcStatus !== undefined && { response_trailers: { "grpc-status": String(grpcStatus) } }),
    },
  };
}

/** Of each connection that is over: that it was opened, something in between, and the end. Totals grow. */
function tcpEntries(connections: readonly Connection[], side: Side, name: string): object[] {
  return connections.flatMap((connection, index) => {
    const common = { ...commonOf(connection, side), stream_id: `connection-${run}-${side}-${name}-${index}` };
    const entry = (type: string, share: number, durationMs: number): object => ({
      common_properties: { ...common, access_log_type: type, duration: nanos(durationMs) },
      connection_properties: {
        received_bytes: Math.floor(connection.receivedBytes * share),
        sent_bytes: Math.floor(connection.sentBytes * share),
      },
    });
    if (!connection.isClosed) return [entry("TcpUpstreamConnected", 0, 1), entry("TcpPeriodic", 1, 5_000)];
    return [
      entry("TcpUpstreamConnected", 0, 1),
      entry("TcpPeriodic", 0.5, 50),
      entry("TcpConnectionEnd", 1, 90),
    ];
  });
}

function commonOf(
  {
    caller,
    callee,
    isMutual,
  }: { readonly caller: string; readonly callee: string; readonly isMutual: boolean },
  side: Side,
): object {
  const [from, to] = [principalOf(CALLERS, caller), principalOf(CALLEES, callee)];
  const certificate = (uri: string): object => ({ subject_alt_name: [{ uri }] });
  const far = side === "source" ? "destination" : "source";
  const farName = side === "source" ? callee : caller;
  const tags: Record<string, string> = {
    reporter: side,
    destination_service: serviceOf(callee),
    [`${far}_workload`]: farName,
    [`${far}_workload_namespace`]: side === "source" ? CALLEES : CALLERS,
    [`${far}_app`]: farName,
    [`${far}_version`]: "v1",
    [`${far}_cluster`]: "Kubernetes",
  };
  if (side === "source" && isMutual) {
    tags["upstream_peer_uri_san"] = to;
    tags["upstream_local_uri_san"] = from;
    tags["destination_principal"] = to;
  }
  return {
    downstream_remote_address: { socket_address: { address: "192.0.2.10", port_value: 40_000 } },
    downstream_direct_remote_address: { socket_address: { address: "192.0.2.10", port_value: 40_000 } },
    downstream_local_address: { socket_address: { address: "192.0.2.20", port_value: 8080 } },
    upstream_remote_address: { socket_address: { address: "192.0.2.20", port_value: 8080 } },
    upstream_cluster: side === "source" ? `outbound|80||${serviceOf(callee)}` : "inbound|8080||",
    start_time: { seconds: 1_700_000_000, nanos: 0 },
    upstream_request_attempt_count: 1,
    custom_tags: tags,
    ...(side === "destination" &&
      isMutual && {
        tls_properties: {
          tls_version: "TLSv1_3",
          peer_certificate_properties: certificate(from),
          local_certificate_properties: certificate(to),
        },
      }),
  };
}

function nanos(ms: number): { seconds: number; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) };
}
