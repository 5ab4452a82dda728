import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { CheckRequest__Output, CheckResponse } from "../../src/proto/index.js";
import { loadProtos } from "../../src/server/protos.js";

/** Body of every refusal of the sample. */
export const sampleDenyBody: string =
  "denied by ext_authz for not found header `x-ext-authz: allow` in the request";

/**
 * Istio's sample authorizer: allows a request with the header `x-ext-authz: allow`, and every TCP connection.
 */
export interface SampleExtAuthz {
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Questions so far, over either protocol. */
  readonly asked: () => number;
  readonly stop: () => Promise<void>;
}

/** Serves it on loopback over gRPC and HTTP. */
export async function startSampleExtAuthz(
  ports: { grpc?: number; http?: number } = {},
): Promise<SampleExtAuthz> {
  let asked = 0;
  const grpc = await startCheckServer((request) => {
    asked++;
    const http = request.attributes?.request?.http;
    return answer(http === undefined || headerValues(request, "x-ext-authz")[0] === "allow");
  }, ports.grpc);
  const sockets = new Set<Socket>();
  const http = createServer((request, response) => {
    asked++;
    const allowed = request.headers["x-ext-authz"] === "allow";
    request.resume();
    response.writeHead(allowed ? 200 : 403, { "x-ext-authz-check-result": allowed ? "allowed" : "denied" });
    response.end(allowed ? "" : sampleDenyBody);
  });
  http.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => http.listen(ports.http ?? 0, "127.0.0.1", resolve));
  return {
    grpcPort: grpc.port,
    httpPort: (http.address() as AddressInfo).port,
    asked: () => asked,
    stop: async () => {
      grpc.stop();
      const ended = new Promise((resolve) => http.close(resolve));
      for (const socket of sockets) socket.destroy();
      await ended;
    },
  };
}

/** What a fake answers: a message, raw bytes, or nothing at all. */
export type FakeAnswer = CheckResponse | Buffer | "silence";

/** A gRPC server of `Authorization/Check` on loopback. */
export interface CheckServer {
  readonly port: number;
  /** Bytes of every question, as they came. */
  readonly questions: readonly Buffer[];
  /** The same, decoded. */
  readonly received: readonly CheckRequest__Output[];
  /** Ends every connection, also in the middle of a call. */
  readonly stop: () => void;
}

/** Serves `answer`; what it throws is a gRPC error, with its `code` if it has one. */
export async function startCheckServer(
  answer: (request: CheckRequest__Output) => FakeAnswer | Promise<FakeAnswer>,
  port = 0,
): Promise<CheckServer> {
  const { check } = loadProtos();
  const questions: Buffer[] = [];
  const received: CheckRequest__Output[] = [];
  const server = new Server();
  const definition = {
    Check: {
      ...check,
      requestDeserialize: (bytes: Buffer) => bytes,
      requestSerialize: (bytes: Buffer) => bytes,
      responseSerialize: (reply: Buffer) => reply,
      responseDeserialize: (reply: Buffer) => reply,
    },
  };
  server.addService(definition, {
    Check: async (
      call: { request: Buffer },
      callback: (error: { code?: number } | null, reply?: Buffer) => void,
    ): Promise<void> => {
      questions.push(call.request);
      try {
        const request = check.requestDeserialize(call.request);
        received.push(request);
        const reply = await answer(request);
        if (reply === "silence") return;
        callback(null, Buffer.isBuffer(reply) ? reply : check.responseSerialize(reply as CheckResponse));
      } catch (error) {
        callback(error as { code?: number });
      }
    },
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, got) =>
      error === null ? resolve(got) : reject(error),
    );
  });
  return { port: bound, questions, received, stop: () => server.forceShutdown() };
}

/** Values of a header, from whichever of the two forms Envoy was told to send. */
export function headerValues(request: CheckRequest__Output, name: string): string[] {
  const http = request.attributes?.request?.http;
  const folded = http?.headers ?? {};
  const raw = http?.header_map?.headers?.filter((header) => header.key === name) ?? [];
  const values = raw.map((header) => header.raw_value?.toString("latin1") ?? header.value ?? "");
  return Object.hasOwn(folded, name) ? [...values, folded[name] ?? ""] : values;
}

function answer(allowed: boolean): CheckResponse {
  const headers = [
    { header: { key: "x-ext-authz-check-result", value: allowed ? "allowed" : "denied" } },
    {
      header: {
        key: "x-ext-authz-additional-header-override",
        value: "grpc-additional-header-override-value",
      },
    },
  ];
  return allowed
    ? { status: { code: 0 }, ok_response: { headers } }
    : { status: { code: 7 }, denied_response: { status: { code: 403 }, body: sampleDenyBody, headers } };
}
