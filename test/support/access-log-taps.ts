import { setTimeout as sleep } from "node:timers/promises";
import grpc from "@grpc/grpc-js";
import type { Attributes } from "../../src/attributes/index.js";
import { meshOf } from "../../src/config/index.js";
import { createAccessLogService, createRequestReader } from "../../src/envoy/index.js";
import type { Report } from "../../src/report/index.js";
import { loadProtos } from "../../src/server/protos.js";
import { callUnary } from "./grpc-client.js";
import { type CheckServer, startCheckServer } from "./sample-ext-authz.js";

/** Stands between the proxy and Gatehouse's checks, and keeps what decisions were asked about. */
export interface CheckTap {
  readonly port: number;
  /** In the order of arrival. */
  readonly asked: readonly Attributes[];
  stop(): void;
}

/**
 * Passes each question on as it came, but never answers whoever asks for `slow`, in a path or as an account, and fails
 * for `broken`.
 */
export async function startCheckTap(address: string): Promise<CheckTap> {
  const read = createRequestReader();
  const { settings } = meshOf([]);
  const asked: Attributes[] = [];
  const server: CheckServer = await startCheckServer(async (request) => {
    const bytes = server.questions.at(-1);
    const attributes = read(request, settings);
    asked.push(attributes);
    // By then its connection is open towards the upstream, which Envoy does not wait with.
    if (attributes.request === undefined) await sleep(150);
    const says = `${attributes.request?.path ?? ""} ${attributes.source.principal}`;
    if (says.includes("slow")) return "silence";
    if (says.includes("broken")) throw Object.assign(new Error("broken"), { code: grpc.status.UNAVAILABLE });
    return bytes === undefined ? "silence" : callUnary(address, loadProtos().check.path, bytes);
  });
  return { port: server.port, asked, stop: server.stop };
}

/** An access log service that keeps what Gatehouse would make of it. */
export interface LogTap {
  readonly port: number;
  /** In the order of arrival. */
  readonly reports: readonly Report[];
  /** What should not have happened. */
  readonly faults: readonly unknown[];
  stop(): void;
}

/** Starts one on loopback. */
export async function startLogTap(): Promise<LogTap> {
  const reports: Report[] = [];
  const faults: unknown[] = [];
  const service = createAccessLogService({
    current: () => undefined,
    report: (report) => reports.push(report),
    onSkipped: (reason) => faults.push(reason),
    onError: (error) => faults.push(error),
    now: Date.now,
  });
  const bytes = (value: Buffer): Buffer => value;
  const definition = loadProtos().packages["envoy.service.accesslog.v3.AccessLogService"];
  const method = (definition as Record<string, object>)["StreamAccessLogs"] as grpc.MethodDefinition<
    Buffer,
    Buffer
  >;
  const server = new grpc.Server();
  server.addService(
    { StreamAccessLogs: { ...method, requestDeserialize: bytes, responseSerialize: bytes } },
    {
      StreamAccessLogs: (call: grpc.ServerReadableStream<Buffer, Buffer>) => {
        const stream = service.open();
        call.on("error", () => {});
        call.on("data", (message: Buffer) => [...stream.read(message)]);
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { port, reports, faults, stop: () => server.forceShutdown() };
}
