import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { BodyMode, Direction } from "../../src/envoy/ext-proc/message.js";

/** What a request is sent over, from the client to the upstream. */
export type Protocol = "http1" | "http2" | "grpc";
export const protocols: readonly Protocol[] = ["http1", "http2", "grpc"];

/** A body goes in one of them. */
export const directions: readonly Direction[] = ["request", "response"];

/** How a listener's filter is configured, both directions alike. */
export interface Configured {
  readonly name: string;
  readonly mode: BodyMode;
  readonly allowsOverride: boolean;
  /** What Envoy buffers of a body. */
  readonly bufferLimit: number;
}

/**
 * What is done to one direction. `mask` changes a body as it comes and keeps its last bytes back, `cut` refuses it on the
 * way, `rewrite` and `refuse` see it whole; `deny` refuses by its headers.
 */
export type Action = "pass" | "headers" | "mask" | "rewrite" | "deny" | "refuse" | "cut";

/** How a body comes. */
export type Size = "none" | "one" | "limit" | "over" | "slow" | "big";

/** One request through one listener. */
export interface Cell {
  readonly id: string;
  readonly configured: Configured;
  readonly protocol: Protocol;
  readonly direction: Direction;
  readonly action: Action;
  readonly size: Size;
}

/** Bodies of `limit` are as long. A window of HTTP/2 cannot be shorter than 65,535. */
export const bufferLimit = 65_536;

const modes = [
  "NONE",
  "STREAMED",
  "BUFFERED",
  "BUFFERED_PARTIAL",
  "FULL_DUPLEX_STREAMED",
  "GRPC",
] as const satisfies readonly BodyMode[];

function configuredAs(limit: number, suffix: string): readonly Configured[] {
  return modes.flatMap((mode) =>
    [false, true].map((allowsOverride) => {
      const name = `${mode.toLowerCase()}_${allowsOverride ? "overridden" : "fixed"}${suffix}`;
      return { name, mode, allowsOverride, bufferLimit: limit };
    }),
  );
}

/** Each body mode as it is configured, with our overrides and without. */
export const everyMode: readonly Configured[] = configuredAs(bufferLimit, "");

/** Those in which a body gets to us, with room for `big` ones. */
export const everyModeBig: readonly Configured[] = configuredAs(32 * 1024 * 1024, "_big").filter(
  ({ mode, allowsOverride }) => mode !== "GRPC" && (mode !== "NONE" || allowsOverride),
);

function cellOf(rest: Omit<Cell, "id">): Cell {
  const { configured, protocol, direction, action, size } = rest;
  return { ...rest, id: [configured.name, protocol, direction, action, size].join(".") };
}

/** In GRPC Envoy answers every body of HTTP/1.1 with 500, whatever it is told. */
export function protocolsOf({ mode }: Configured): readonly Protocol[] {
  return mode === "GRPC" ? ["http2", "grpc"] : protocols;
}

/** What is tried of one listener, protocol and direction. */
export function cellsOf(configured: Configured, protocol: Protocol, direction: Direction): readonly Cell[] {
  const cell = (action: Action, size: Size): Cell =>
    cellOf({ configured, protocol, direction, action, size });
  const actions = ["pass", "headers", "mask", "rewrite", "deny", "refuse"] as const;
  const sizes = ["none", "one", "limit", "slow"] as const;
  return [...actions.flatMap((action) => sizes.map((size) => cell(action, size))), cell("cut", "slow")];
}

/** What is tried of bodies that are longer than what Envoy buffers. */
export function overCellsOf(configured: Configured): readonly Cell[] {
  const ways = protocolsOf(configured).flatMap((protocol) =>
    directions.map((direction) => ({ protocol, direction })),
  );
  return ways.flatMap((way) =>
    (["pass", "rewrite"] as const).map((action) => cellOf({ configured, ...way, action, size: "over" })),
  );
}

/** What is tried of 10 MB. */
export function bigCellsOf(configured: Configured): readonly Cell[] {
  const ways = directions.flatMap((direction) =>
    (["mask", "rewrite"] as const).map((action) => ({ direction, action })),
  );
  return ways.map((way, index) => {
    const protocol = index % 2 === 0 ? "http1" : "http2";
    return cellOf({ configured, protocol, ...way, size: "big" });
  });
}

/** The pieces a body is sent in. */
export function piecesOf({ protocol, size }: Pick<Cell, "protocol" | "size">): readonly Buffer[] {
  const piece = protocol === "grpc" ? frame : letters;
  const overhead = protocol === "grpc" ? 5 : 0;
  switch (size) {
    case "none":
      return [];
    case "one":
      return [piece(1)];
    case "limit":
      return [piece(bufferLimit - overhead)];
    case "over":
      return Array.from({ length: 4 }, () => piece(bufferLimit - overhead));
    case "slow":
      return Array.from({ length: 5 }, () => piece(7));
    case "big":
      return Array.from({ length: 160 }, () => piece(bufferLimit - overhead));
  }
}

/** What `mask` and `rewrite` put at the end. */
export function suffixOf(protocol: Protocol): Buffer {
  return protocol === "grpc" ? frameOf(Buffer.from("-end")) : Buffer.from("-end");
}

/** Lower-case letters in upper case; the prefixes of the messages here hold none. */
export function upperCased(bytes: Uint8Array): Buffer {
  const upper = Buffer.from(bytes);
  for (let at = 0; at < upper.length; at++) {
    const byte = upper[at] ?? 0;
    if (byte >= 0x61 && byte <= 0x7a) upper[at] = byte - 0x20;
  }
  return upper;
}

/** A body in a few words, which are the same only if it is. */
export function digestOf(body: Uint8Array): string {
  if (body.length <= 48) return JSON.stringify(Buffer.from(body).toString("latin1"));
  return `${body.length} bytes ${createHash("sha256").update(body).digest("hex").slice(0, 12)}`;
}

function letters(length: number): Buffer {
  return Buffer.alloc(length, "abcdefghijklmnopqrstuvwxyz");
}

function frame(length: number): Buffer {
  return frameOf(letters(length));
}

function frameOf(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
