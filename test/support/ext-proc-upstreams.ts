import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import {
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Cell, digestOf, piecesOf } from "./ext-proc-cells.js";

/** A request as far as it came. */
export interface Seen {
  readonly headers: IncomingHttpHeaders;
  length: number;
  digest: string;
  trailers: Readonly<Record<string, unknown>>;
  isComplete: boolean;
}

/** What a request wants back, in its header `x-reply` as JSON. */
export interface Reply {
  readonly status: number;
  readonly size: Cell["size"];
  readonly headers?: Readonly<Record<string, string>>;
  readonly trailers?: Readonly<Record<string, string>>;
  readonly isGrpc?: boolean;
  /** Of HTTP/1.1: it never ends. */
  readonly isEndless?: boolean;
}

/** Servers behind Envoy that do what they are asked to; a request is known by its `x-id`. */
export interface ProcUpstreams {
  readonly http1: number;
  readonly http2: number;
  readonly seen: ReadonlyMap<string, Seen>;
  /** Bytes that came over websockets. */
  readonly overWebsocket: () => string;
  stop(): void;
}

/** How long a slow body waits between its pieces. */
export const slowMs = 10;

const etag = { etag: '"v1"', "x-remove": "me", "x-given": "own" };

/** Starts them on loopback. */
export async function startProcUpstreams(): Promise<ProcUpstreams> {
  const seen = new Map<string, Seen>();
  const open = new Set<{ destroy(): unknown }>();
  let websocket = "";
  const http1 = createServer((request, response) => void answer1(request, response, seen));
  // Envoy keeps its connections for longer than Node.js does.
  http1.keepAliveTimeout = 0;
  http1.on("upgrade", (_, socket: Socket) => {
    socket.on("error", () => socket.destroy());
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhello",
    );
    socket.on("data", (bytes) => {
      websocket += bytes.toString();
      socket.write(bytes);
    });
  });
  http1.on("connection", (socket: Socket) => open.add(socket));
  const http2 = createHttp2Server({ settings: { initialWindowSize: 1024 * 1024 } });
  http2.on("stream", (stream: ServerHttp2Stream, headers) => void answer2(stream, headers, seen));
  http2.on("session", (session: ServerHttp2Session) => open.add(session));
  return {
    http1: await listen(http1),
    http2: await listen(http2),
    seen,
    overWebsocket: () => websocket,
    stop() {
      for (const server of [http1, http2]) server.close();
      for (const connection of open) connection.destroy();
    },
  };
}

function watch(
  stream: NodeJS.ReadableStream,
  headers: IncomingHttpHeaders,
  seen: Map<string, Seen>,
  trailers: () => Readonly<Record<string, unknown>>,
): Promise<void> {
  const one: Seen = {
    headers,
    length: 0,
    digest: digestOf(Buffer.alloc(0)),
    trailers: {},
    isComplete: false,
  };
  seen.set(String(headers["x-id"]), one);
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    one.length += chunk.length;
  });
  return new Promise((resolve) => {
    stream.on("end", () => {
      one.digest = digestOf(Buffer.concat(chunks));
      one.trailers = { ...trailers() };
      one.isComplete = true;
      resolve();
    });
  });
}

function replyOf(headers: IncomingHttpHeaders): Reply {
  return JSON.parse(String(headers["x-reply"] ?? '{"status":200,"size":"none"}')) as Reply;
}

async function answer1(
  request: IncomingMessage,
  response: ServerResponse,
  seen: Map<string, Seen>,
): Promise<void> {
  for (const stream of [request, response]) stream.on("error", () => {});
  let hasEnded = false;
  const ended = watch(request, request.headers, seen, () => request.trailers).then(() => {
    hasEnded = true;
  });
  request.on("aborted", () => response.destroy());
  await ended;
  if (!hasEnded) return;
  const { status, size, headers, trailers, isEndless } = replyOf(request.headers);
  const pieces = piecesOf({ protocol: "http1", size });
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const isChunked = size === "slow" || trailers !== undefined;
  const framing = isChunked
    ? { trailer: Object.keys(trailers ?? {}).join(",") }
    : { "content-length": length };
  response.writeHead(status, { ...etag, ...(status < 300 && status !== 204 ? framing : {}), ...headers });
  if (trailers !== undefined) response.addTrailers(trailers);
  if (isChunked) response.flushHeaders();
  for (const piece of pieces) {
    if (size === "slow") await sleep(slowMs);
    response.write(piece);
  }
  if (isEndless !== true) response.end();
}

async function answer2(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  seen: Map<string, Seen>,
): Promise<void> {
  let requestTrailers: Record<string, unknown> = {};
  stream.on("error", () => {});
  stream.on("trailers", (lines) => {
    requestTrailers = { ...lines };
  });
  await watch(stream, headers, seen, () => requestTrailers);
  if (stream.destroyed) return;
  const { status, size, headers: more, trailers, isGrpc } = replyOf(headers);
  const pieces = piecesOf({ protocol: isGrpc === true ? "grpc" : "http2", size });
  const type = isGrpc === true ? { "content-type": "application/grpc" } : {};
  const isBare = pieces.length === 0 && trailers === undefined;
  stream.respond(
    { ":status": status, ...etag, ...type, ...more },
    { endStream: isBare, waitForTrailers: trailers !== undefined },
  );
  if (isBare) return;
  stream.on("wantTrailers", () => {
    if (!stream.destroyed) stream.sendTrailers({ ...trailers });
  });
  for (const piece of pieces) {
    if (size === "slow") await sleep(slowMs);
    if (stream.destroyed) return;
    stream.write(piece);
  }
  stream.end();
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
