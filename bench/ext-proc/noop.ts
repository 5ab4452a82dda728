/**
 * The least that external processing can cost on this gRPC library, done as usual: messages decoded and encoded by
 * proto-loader, each answered with CONTINUE, pieces of FULL_DUPLEX_STREAMED bodies as they came.
 */
import grpc from "@grpc/grpc-js";
import { bodyMode, type Message, processMethod } from "./messages.js";

const phases = ["request_headers", "response_headers", "request_trailers", "response_trailers"] as const;

function answerTo(message: Message, isDuplex: boolean): Message {
  const phase = phases.find((name) => message[name] != null);
  if (phase !== undefined) return { [phase]: {} };
  const kind = message["request_body"] == null ? "response_body" : "request_body";
  if (!isDuplex) return { [kind]: {} };
  const { body, end_of_stream } = message[kind] as Message;
  return { [kind]: { response: { body_mutation: { streamed_response: { body, end_of_stream } } } } };
}

const server = new grpc.Server();
server.addService(
  { Process: processMethod },
  {
    Process: (call: grpc.ServerDuplexStream<Message, Message>) => {
      let isDuplex = false;
      call.on("error", () => {});
      call.on("data", (message: Message) => {
        const config = message["protocol_config"] as Message | null | undefined;
        if (config != null) isDuplex = config["response_body_mode"] === bodyMode.FULL_DUPLEX_STREAMED;
        call.write(answerTo(message, isDuplex));
      });
      call.on("end", () => call.end());
    },
  },
);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(JSON.stringify({ event: "listening", grpc: `127.0.0.1:${port}` }));
});
process.on("SIGTERM", () => process.exit(0));
