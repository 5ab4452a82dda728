import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync, type ZlibOptions } from "node:zlib";
import type { ByteString } from "../attributes/index.js";
import { readEncodings } from "../redaction/index.js";

/**
 * The codings of a body in the order in which they were put on; none: it is as it is. Undefined: one that
 * nobody decodes.
 */
export type Codings = ReturnType<typeof readEncodings>;
type Coding = NonNullable<Codings>[number];

/** By the header `content-encoding`. */
export function codingsOf(headers: ReadonlyMap<string, readonly ByteString[]>): Codings {
  return readEncodings(headers.get("content-encoding") ?? []);
}

/** Decoded bytes that are no bomb, however few they were before. */
const freeBytes = 65_536;

/** Decoded bytes that `encoded` of them may become. */
export function allowance(encoded: number, maxRatio: number): number {
  return Math.max(freeBytes, encoded * maxRatio);
}

/** What a body is when it is decoded. `over`: it has more bytes than `limit`. */
export type Decoded =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "over" }
  | { readonly kind: "malformed" };

/** Decodes a whole body into at most `limit` bytes; what stands behind an encoded body makes it malformed. */
export function decodeWhole(body: Uint8Array, codings: readonly Coding[], limit: number): Decoded {
  let bytes = body;
  for (const coding of [...codings].reverse()) {
    const decoded = decodeOne(bytes, coding, limit);
    if (decoded.kind !== "bytes") return decoded;
    bytes = decoded.bytes;
  }
  return { kind: "bytes", bytes };
}

function decodeOne(body: Uint8Array, coding: Coding, limit: number): Decoded {
  try {
    const { bytes, consumed } = run(body, coding, { maxOutputLength: Math.max(1, limit), info: true });
    // Of two readers one may go on behind the end.
    return consumed === body.length ? { kind: "bytes", bytes } : { kind: "malformed" };
  } catch (error) {
    const isOver = error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
    return { kind: isOver ? "over" : "malformed" };
  }
}

/** zlib's answer with `info: true`, which its types do not know. */
interface Answer {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

function run(
  body: Uint8Array,
  coding: Coding,
  options: ZlibOptions,
): { readonly bytes: Uint8Array; readonly consumed: number } {
  const answer = inflaterOf(body, coding)(body, options as never) as unknown as Answer;
  return { bytes: answer.buffer, consumed: answer.engine.bytesWritten };
}

function inflaterOf(body: Uint8Array, coding: Coding): typeof gunzipSync {
  if (coding === "gzip") return gunzipSync;
  if (coding === "br") return brotliDecompressSync as typeof gunzipSync;
  // RFC 9110 section 8.4.1.2 means zlib's format; some send bare deflate.
  const [first = 0, second = 0] = body;
  const isZlib = (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
  return isZlib ? inflateSync : inflateRawSync;
}
