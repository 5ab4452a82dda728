/**
 * Receivers of access logs that do nothing with them, on the same gRPC library. What the transport costs: bytes are
 * counted. `--decode`: each message is decoded by proto-loader too, as a receiver without a decoder of its own would.
 */
import grpc from "@grpc/grpc-js";
import type { MethodDefinition, ServiceDefinition } from "@grpc/proto-loader";
import { ACCESS_LOG, loadProtos } from "../../src/server/protos.js";

type LogMethod = MethodDefinition<object, object>;
const service = loadProtos().packages[ACCESS_LOG] as ServiceDefinition;
const method = service["StreamAccessLogs"] as LogMethod;
const counting: LogMethod = { ...method, requestDeserialize: (bytes) => bytes };

let seen = 0;
const server = new grpc.Server();
server.addService(
  { StreamAccessLogs: process.argv.includes("--decode") ? method : counting },
  {
    StreamAccessLogs: (
      call: grpc.ServerReadableStream<object, object>,
      callback: grpc.sendUnaryData<object>,
    ) => {
      call.on("data", (message: object) => {
        seen += "length" in message ? Number(message.length) : 1;
      });
      call.on("end", () => callback(null, {}));
      call.on("error", () => {});
    },
  },
);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(JSON.stringify({ event: "listening", grpc: `127.0.0.1:${port}` }));
});
process.on("SIGTERM", () => process.exit(seen > 0 ? 0 : 1));
