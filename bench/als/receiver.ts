/** Takes spans by OTLP over gRPC and throws them away, in a process of its own: what it costs counts for nobody. */
import grpc from "@grpc/grpc-js";

const empty = Buffer.alloc(0);
const method: grpc.MethodDefinition<Buffer, Buffer> = {
  path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
  requestStream: false,
  responseStream: false,
  requestSerialize: (bytes) => bytes,
  requestDeserialize: (bytes) => bytes,
  responseSerialize: (bytes) => bytes,
  responseDeserialize: (bytes) => bytes,
};
const server = new grpc.Server();
server.addService(
  { Export: method },
  { Export: (_call: unknown, callback: grpc.sendUnaryData<Buffer>) => callback(null, empty) },
);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(JSON.stringify({ event: "listening", grpc: `127.0.0.1:${port}` }));
});
process.on("SIGTERM", () => process.exit(0));
