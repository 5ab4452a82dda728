/** The least that a ShouldRateLimit can cost on this gRPC library: bytes in, the same answer each time. */
import grpc from "@grpc/grpc-js";
import { METHOD } from "./cases.js";

/** OK, one status with limit, remaining and reset: 27 bytes. */
const answer = Buffer.from("080112150801120808ffffffff0f100318fefbffff0f220308d00f", "hex");
const asIs = (bytes: Buffer): Buffer => bytes;

const server = new grpc.Server();
server.addService(
  {
    ShouldRateLimit: {
      path: METHOD,
      requestStream: false,
      responseStream: false,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  },
  { ShouldRateLimit: (_call: unknown, callback: grpc.sendUnaryData<Buffer>) => callback(null, answer) },
);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(JSON.stringify({ event: "listening", grpc: `127.0.0.1:${port}` }));
});
process.on("SIGTERM", () => process.exit(0));
