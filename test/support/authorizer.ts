import { fileURLToPath } from "node:url";
import { loadPackageDefinition, Server, ServerCredentials } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { AuthProtoGrpcType, CheckRequest__Output, CheckResponse } from "../../src/proto/index.js";

/** An ext_authz server that answers as it is told, in place of Gatehouse or of somebody else's authorizer. */
export interface Authorizer {
  readonly port: number;
  /** Requests so far, in order. */
  readonly received: readonly CheckRequest__Output[];
  stop(): void;
}

/** Starts an authorizer on loopback. An answer that is a rejection becomes a gRPC error. */
export async function startAuthorizer(
  answer: (request: CheckRequest__Output) => CheckResponse | Promise<CheckResponse>,
): Promise<Authorizer> {
  const definition = loadSync("envoy/service/auth/v3/external_auth.proto", {
    includeDirs: [fileURLToPath(new URL("../../proto", import.meta.url))],
    keepCase: true,
    longs: String,
    oneofs: true,
  });
  const api = loadPackageDefinition(definition) as unknown as AuthProtoGrpcType;
  const received: CheckRequest__Output[] = [];
  const server = new Server();
  server.addService(api.envoy.service.auth.v3.Authorization.service, {
    Check: (
      call: { request: CheckRequest__Output },
      done: (error: Error | null, value?: CheckResponse) => void,
    ) => {
      received.push(call.request);
      Promise.resolve(call.request)
        .then(answer)
        .then((response) => done(null, response), done);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  return { port, received, stop: () => server.forceShutdown() };
}
