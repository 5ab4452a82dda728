import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import type { ServiceDefinition } from "@grpc/proto-loader";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { loadProtos } from "../../src/server/protos.js";
import { type Authority, makeAuthority, spiffe, writeServerCertificates } from "../support/certificates.js";
import { type Bootstrap, type Envoy, type EnvoyOptions, startEnvoy } from "../support/envoy.js";
import { send } from "../support/http.js";
import { startCheckServer } from "../support/sample-ext-authz.js";
import { eventually } from "../support/server-fixture.js";
import { talk } from "../support/tls.js";
import { startTcpEcho, startUpstream } from "../support/upstream.js";

const FOLDER = fileURLToPath(new URL("../../envoy", import.meta.url));
const ALLOW = { status: { code: 0 } };

interface Entry {
  readonly common_properties: {
    readonly custom_tags: Readonly<Record<string, string>>;
    readonly access_log_type: number;
  };
  readonly request?: { readonly path: string; readonly request_headers: Readonly<Record<string, string>> };
}
interface Message {
  readonly identifier?: { readonly node: { readonly id: string }; readonly log_name: string };
  readonly http_logs?: { readonly log_entry: readonly Entry[] };
  readonly tcp_logs?: { readonly log_entry: readonly Entry[] };
}
interface Receiver {
  readonly port: number;
  entries(): Entry[];
  readonly messages: Message[];
  stop(): void;
}

let authority: Authority;
let cwd: string;
const running: { stop(): unknown }[] = [];

beforeAll(async () => {
  authority = makeAuthority();
  cwd = mkdtempSync(join(tmpdir(), "gatehouse-certs-"));
  await writeServerCertificates(cwd, authority, { ...spiffe("bookshop", "ledger"), dns: ["localhost"] });
});
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.stop();
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

async function startReceiver(): Promise<Receiver> {
  const service = loadProtos().packages["envoy.service.accesslog.v3.AccessLogService"] as ServiceDefinition;
  const messages: Message[] = [];
  const server = new grpc.Server();
  server.addService(service, {
    StreamAccessLogs(call: grpc.ServerReadableStream<Message, object>, done: grpc.sendUnaryData<object>) {
      call.on("data", (message: Message) => messages.push(message));
      call.on("error", () => {});
      call.on("end", () => done(null, {}));
    },
  } as unknown as grpc.UntypedServiceImplementation);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return {
    port,
    messages,
    entries: () =>
      messages.flatMap(({ http_logs, tcp_logs }) => [
        ...(http_logs?.log_entry ?? []),
        ...(tcp_logs?.log_entry ?? []),
      ]),
    stop: () => server.forceShutdown(),
  };
}

/** The bootstrap as it is, but that its access log goes to a cluster of its own: the check server knows no logs. */
function logsTo(port: number): (bootstrap: Bootstrap) => void {
  return (bootstrap) => {
    const { clusters, listeners } = bootstrap["static_resources"] as Record<string, { name: string }[]>;
    const text = JSON.stringify(listeners).replace(
      /("common_config":\{.*?"cluster_name":)"gatehouse"/g,
      '$1"logs"',
    );
    const logs = structuredClone(clusters?.find(({ name }) => name === "gatehouse")) as Record<
      string,
      unknown
    >;
    logs["name"] = "logs";
    logs["load_assignment"] = {
      cluster_name: "logs",
      endpoints: [
        {
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } } },
          ],
        },
      ],
    };
    Object.assign(bootstrap["static_resources"] as object, {
      clusters: [...(clusters ?? []), logs],
      listeners: JSON.parse(text) as object,
    });
  };
}

async function arrange(
  file: string,
  startBackend: typeof startUpstream = startUpstream,
  options: Partial<EnvoyOptions> = {},
): Promise<{ receiver: Receiver; envoy: Envoy; port: number }> {
  const receiver = await startReceiver();
  running.push(receiver);
  const authorizer = await startCheckServer(() => ALLOW);
  running.push(authorizer);
  const upstream = await startBackend();
  running.push(upstream);
  const envoy = await startEnvoy({
    bootstrap: join(FOLDER, file),
    clusters: { gatehouse: authorizer.port, upstream: upstream.port },
    cwd,
    edit: logsTo(receiver.port),
    ...options,
  });
  running.push(envoy);
  return { receiver, envoy, port: Object.values(envoy.ports)[0] ?? 0 };
}

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

test.each([
  ["ext-authz.yaml", "/orders/7", "orders"],
  ["ext-authz.yaml", "/books", "books"],
  ["rego.yaml", "/books", "books"],
])(
  "%s tells of %s which workload was called, how long its check took, and its trace, but no secret",
  async (file, path, workload) => {
    const { receiver, port } = await arrange(file);
    const headers = { traceparent, authorization: "Bearer hush", cookie: "session=hush" };
    await send({ port, path, headers });
    await eventually(() => receiver.entries().length, 1);
    const [entry] = receiver.entries();
    expect(entry?.common_properties.custom_tags).toEqual({
      check_latency_us: expect.stringMatching(/^\d+$/),
      check_timeout_ms: "2000",
      destination_workload: workload,
      destination_workload_namespace: "bookshop",
      destination_app: workload,
      destination_service: `${workload}.bookshop.svc.cluster.local`,
    });
    expect(entry?.request?.request_headers).toEqual({ traceparent });
    expect(receiver.messages[0]?.identifier).toMatchObject({
      node: { id: file.replace(".yaml", "") },
      log_name: "gatehouse",
    });
  },
);

test("tcp.yaml tells when a connection begins and when it ends", async () => {
  const { receiver, port } = await arrange("tcp.yaml", startTcpEcho);
  const client = authority.issue(spiffe("bookshop", "web"));
  expect(await talk({ port, ca: authority.cert, client, text: "hello\n" })).toBe("hello\n");
  await eventually(() => receiver.entries().length, 2);
  const types = receiver.entries().map(({ common_properties }) => common_properties.access_log_type);
  // AccessLogType.TcpUpstreamConnected and TcpConnectionEnd.
  expect(types).toEqual([1, 3]);
  expect(receiver.entries()[1]?.common_properties.custom_tags).toEqual({
    check_timeout_ms: "2000",
    destination_service: "ledger.bookshop.svc.cluster.local",
  });
});

/** What Envoy says of its access log. */
async function countersOf(envoy: Envoy): Promise<Record<string, number>> {
  const text = await envoy.adminText("/stats?filter=^access_logs\\.");
  const lines = [...text.matchAll(/^access_logs\.grpc_access_log\.(\w+): (\d+)$/gm)];
  return Object.fromEntries(lines.map(([, name = "", value]) => [name, Number(value)]));
}

test("Envoy counts as flushed what it sends into no connection: only who received knows what was lost", async () => {
  const { receiver, envoy, port } = await arrange("ext-authz.yaml");
  await send({ port, path: "/books" });
  await eventually(() => receiver.entries().length, 1);
  receiver.stop();
  for (let i = 0; i < 3; i += 1) await send({ port, path: "/books" });
  await eventually(async () => (await countersOf(envoy))["grpc_entries_flushed"], 4);
  expect(await countersOf(envoy)).toEqual({
    grpc_entries_flush_failed: 0,
    grpc_entries_flushed: 4,
    logs_dropped: 0,
    logs_written: 4,
  });
  expect(receiver.entries()).toHaveLength(1);
});
