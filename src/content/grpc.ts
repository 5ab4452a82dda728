import type { Descriptors } from "./descriptors.js";
import { ContentError } from "./error.js";
import { bufferOf } from "./text.js";
import { sourceOf } from "./wire.js";

/** A gRPC body's first message, or why there is none. */
export type GrpcBody =
  | { readonly kind: "message"; readonly json: string }
  /** Its length says that more follows. */
  | { readonly kind: "truncated" }
  /** Compressed, or of a service or method that the descriptors do not know, or that takes a stream. */
  | { readonly kind: "unknown" };

/**
 * The first message of a gRPC body (PROTOCOL-HTTP2.md), as protojson writes it. Throws `bad_frame` for less than a
 * frame's header, `bad_message` or `too_deep`.
 */
export function decodeGrpc(body: Uint8Array, service: string, method: string, known: Descriptors): GrpcBody {
  const bytes = bufferOf(body);
  if (bytes.length < 5) throw new ContentError("bad_frame", "grpc frame has less than 5 bytes");
  if (bytes[0] !== 0) return { kind: "unknown" };
  const end = 5 + bytes.readUInt32BE(1);
  if (end > bytes.length) return { kind: "truncated" };
  const write = known.inputOf(service, method);
  if (write === undefined) return { kind: "unknown" };
  return { kind: "message", json: write({ source: sourceOf(bytes), start: 5, end }, 0) };
}
