import { Buffer } from "node:buffer";

/** A message of gRPC without its frame. */
export interface GrpcMessage {
  readonly bytes: Uint8Array;
  readonly compressed: boolean;
}

const headerSize = 5;

/** The message with its frame (PROTOCOL-HTTP2.md): a flag, the length in four bytes, the bytes. */
export function toFrame({ bytes, compressed }: GrpcMessage): Uint8Array {
  const frame = Buffer.allocUnsafe(headerSize + bytes.length);
  frame[0] = compressed ? 1 : 0;
  frame.writeUInt32BE(bytes.length, 1);
  frame.set(bytes, headerSize);
  return frame;
}
