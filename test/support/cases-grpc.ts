import grpc from "@grpc/grpc-js";
import type { CheckResponse__Output } from "../../src/proto/index.js";
import { AUTHORIZATION, loadProtos } from "../../src/server/protos.js";

/** A gRPC client that sends any bytes as a CheckRequest. */
export interface BytesClient {
  /** Rejects with the gRPC status when the call does not end with OK. */
  readonly check: (bytes: Uint8Array, deadlineMs?: number) => Promise<CheckResponse__Output>;
  readonly close: () => void;
}

/** Connects to a server on loopback. */
export function connectBytes(port: number): BytesClient {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    "grpc.max_send_message_length": -1,
  });
  const { check } = loadProtos();
  return {
    check: (bytes, deadlineMs = 2_000) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          `/${AUTHORIZATION}/Check`,
          (message: Buffer) => message,
          check.responseDeserialize,
          Buffer.from(bytes),
          { deadline: Date.now() + deadlineMs },
          (error, answer) => {
            if (error !== null) reject(error);
            else if (answer === undefined) reject(new Error("expected an answer"));
            else resolve(answer);
          },
        );
      }),
    close: () => client.close(),
  };
}

/** One field of a message in wire format: a length and bytes, or a varint. */
export function field(number: number, content: Uint8Array | string | number): Buffer {
  if (typeof content === "number") return Buffer.concat([varint(number * 8), varint(content)]);
  const bytes = Buffer.from(content);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}
