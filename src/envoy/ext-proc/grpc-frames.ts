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

/** The whole messages at the front of `bytes` and what is behind them; undefined where there is no frame. */
export function fromFrames(
  bytes: Uint8Array,
): { readonly messages: readonly GrpcMessage[]; readonly rest: Uint8Array } | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const messages: GrpcMessage[] = [];
  let at = 0;
  while (buffer.length - at >= headerSize) {
    const flag = buffer[at] as number;
    if (flag > 1) return undefined;
    const end = at + headerSize + buffer.readUInt32BE(at + 1);
    if (end > buffer.length) break;
    messages.push({ bytes: buffer.subarray(at + headerSize, end), compressed: flag === 1 });
    at = end;
  }
  return { messages, rest: buffer.subarray(at) };
}
