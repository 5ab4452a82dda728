import { Buffer } from "node:buffer";
import zlib from "node:zlib";
import type { ByteString } from "../attributes/index.js";

/** Why a body cannot be decoded. */
export type DecodeFault =
  /** Not what its encoding says, cut off, or with bytes behind its end. */
  | "malformed"
  /** More decoded bytes per encoded byte than are allowed. */
  | "ratio";

/** The only error of decoding. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
  readonly fault: DecodeFault;

  constructor(fault: DecodeFault) {
    super(
      fault === "ratio" ? "the body grows too much when it is decoded" : "the body is not encoded as it says",
    );
    this.fault = fault;
  }
}

/** Decodes a body as it comes. Calls come one after the other. */
export interface BodyDecoder {
  /** Gives what is decoded of this. Rejects with a DecodeError, after which it is over. */
  push(chunk: Uint8Array): Promise<Uint8Array>;
  end(): Promise<Uint8Array>;
  /** Frees what the decoder holds; for bodies that are left before their end. At any time, more than once. */
  close(): void;
}

/** Encodings on top of each other at most: more are only made to cost. */
const maxLayers = 3;

/** Decoded bytes that pass whatever the ratio: a short body of zeros is no bomb. */
const freeBytes = 65_536;

type Coding = "gzip" | "deflate" | "br";

const codings: ReadonlyMap<string, Coding> = new Map([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
  ["br", "br"],
]);

/**
 * The codings of a `content-encoding` (RFC 9110, section 8.4), in the order in which they were put on; none: the body is as
 * it is. Undefined: one is unknown, or they are more than three.
 */
export function readEncodings(lines: readonly ByteString[]): readonly Coding[] | undefined {
  const found: Coding[] = [];
  for (const part of lines.join(",").split(",")) {
    const name = part.trim().toLowerCase();
    if (name === "" || name === "identity") continue;
    const coding = codings.get(name);
    if (coding === undefined) return undefined;
    found.push(coding);
  }
  return found.length > maxLayers ? undefined : found;
}

const nothing: Buffer = Buffer.alloc(0);

/**
 * A decoder of these codings. `maxRatio`: decoded bytes per encoded byte so far, beyond 64 KiB. An empty body is taken as it
 * is, whatever its encoding.
 */
export function createBodyDecoder(encodings: readonly Coding[], maxRatio: number): BodyDecoder {
  let encoded = 0;
  let decoded = 0;
  const layers = [...encodings].reverse().map((coding, layer) =>
    createLayer(coding, (length) => {
      if (layer < encodings.length - 1) return freeBytes + encoded * maxRatio >= length;
      decoded += length;
      return decoded <= Math.max(freeBytes, encoded * maxRatio);
    }),
  );
  return {
    async push(chunk) {
      encoded += chunk.length;
      let bytes = chunk;
      for (const layer of layers) {
        if (bytes.length > 0) bytes = await layer.push(bytes);
      }
      return bytes;
    },
    async end() {
      let bytes: Uint8Array = nothing;
      for (const layer of layers) {
        const first = bytes.length > 0 ? await layer.push(bytes) : nothing;
        const last = await layer.end();
        bytes = first.length > 0 ? Buffer.concat([first, last]) : last;
      }
      return bytes;
    },
    close() {
      for (const layer of layers) layer.close();
    },
  };
}

/** `allows` is told of each piece of output, and says whether it may be that long. */
function createLayer(coding: Coding, allows: (length: number) => boolean): BodyDecoder {
  let stream: zlib.Gunzip | undefined;
  let parts: Buffer[] = [];
  let fault: DecodeError | undefined;
  /** What waits for the stream: the answer to a write, or its end. */
  let settle: (() => void) | undefined;
  let isEnding = false;
  /** Of `deflate`, whose format is told by its first two bytes. */
  let first: Uint8Array = nothing;

  const done = (): void => {
    settle?.();
    settle = undefined;
  };
  const fail = (kind: DecodeFault): void => {
    fault ??= new DecodeError(kind);
    stream?.destroy();
    done();
  };
  const drain = (): void => {
    for (let part: Buffer | null; fault === undefined; parts.push(part)) {
      part = stream?.read() ?? null;
      if (part === null) return;
      if (!allows(part.length)) fail("ratio");
    }
  };
  const open = (bytes: Uint8Array): void => {
    stream = streamOf(coding, bytes);
    stream.on("readable", drain);
    stream.on("error", () => fail("malformed"));
    // Left before its end: nobody waits for what does not come any more.
    stream.on("close", done);
    // Before we ended it: there is something behind its end.
    stream.on("end", () => (isEnding ? done() : fail("malformed")));
  };
  const taken = (): Uint8Array => {
    drain();
    if (fault !== undefined) throw fault;
    const [one = nothing] = parts;
    const all = parts.length > 1 ? Buffer.concat(parts) : one;
    parts = [];
    return all;
  };
  const write = async (bytes: Uint8Array): Promise<void> => {
    if (stream === undefined) open(bytes);
    await new Promise<void>((resolve) => {
      settle = resolve;
      stream?.write(bytes, done);
    });
  };

  return {
    async push(chunk) {
      if (fault !== undefined) throw fault;
      const bytes = first.length === 0 ? chunk : Buffer.concat([first, chunk]);
      first = nothing;
      if (stream === undefined && coding === "deflate" && bytes.length < 2) {
        first = bytes;
        return nothing;
      }
      await write(bytes);
      return taken();
    },
    async end() {
      if (fault !== undefined) throw fault;
      if (first.length > 0) fail("malformed");
      if (stream === undefined) return taken();
      const last = stream;
      isEnding = true;
      await new Promise<void>((resolve) => {
        settle = resolve;
        last.end();
        drain();
      });
      return taken();
    },
    close() {
      fault ??= new DecodeError("malformed");
      stream?.destroy();
    },
  };
}

function streamOf(coding: Coding, bytes: Uint8Array): zlib.Gunzip {
  if (coding === "gzip") return zlib.createGunzip();
  if (coding === "br") return zlib.createBrotliDecompress();
  // RFC 9110 says zlib's format; some send it bare.
  const [first = 0, second = 0] = bytes;
  const isZlib = (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
  return isZlib ? zlib.createInflate() : zlib.createInflateRaw();
}
