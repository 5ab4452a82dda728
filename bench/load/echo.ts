/**
 * The least that a Check can cost on this gRPC library: decodes the same CheckRequest and encodes a fixed
 * allowed CheckResponse, with the same types. `--record`: that response carries a decision record as
 * Gatehouse's does.
 */
import grpc from "@grpc/grpc-js";
import type { CheckResponse } from "../../src/proto/index.js";
import { loadProtos } from "../../src/server/protos.js";

const { check } = loadProtos();

const record: CheckResponse = {
  dynamic_metadata: {
    fields: {
      decision_id: { stringValue: "0b9cfa6a-54d8-4a57-8f7b-7b7c1d8ad3b1" },
      gatehouse: {
        structValue: {
          fields: {
            allowed: { boolValue: true },
            code: { numberValue: 0 },
            stage: { stringValue: "authorize" },
            reason: { stringValue: "allowed_by_policy" },
            snapshot: { numberValue: 1 },
            policy: { stringValue: "shop/p-00009" },
            rule: { numberValue: 0 },
          },
        },
      },
    },
  },
};
const answer: CheckResponse = {
  status: { code: 0 },
  ok_response: {},
  ...(process.argv.includes("--record") ? record : {}),
};

const server = new grpc.Server();
server.addService(
  { Check: { ...check, path: "/envoy.service.auth.v3.Authorization/Check" } },
  {
    Check: (_call: unknown, callback: grpc.sendUnaryData<CheckResponse>) => callback(null, answer),
  },
);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(JSON.stringify({ event: "listening", grpc: `127.0.0.1:${port}` }));
});
process.on("SIGTERM", () => process.exit(0));
