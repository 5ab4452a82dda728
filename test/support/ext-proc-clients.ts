import { Buffer } from "node:buffer";
import { request as request1 } from "node:http";
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { slowMs } from "./ext-proc-upstreams.js";

/** A request. */
export interface Ask {
  readonly port: number;
  readonly isHttp2: boolean;
  readonly method: string;
  readonly path?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly pieces: readonly Buffer[];
  /** Waits between the pieces, and does not say how long the body is. */
  readonly isSlow?: boolean;
  readonly trailers?: Readonly<Record<string, string>>;
}

/** What a client got. */
export interface Got {
  /** `reset`: it broke off, before its headers (then the status is 0) or in its body. `hang`: nothing more came. */
  readonly end: "whole" | "reset" | "hang";
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: Readonly<Record<string, unknown>>;
}

const timeoutMs = 20_000;

/** Clients that keep a connection of HTTP/2 for each port. */
export function createProcClients(): {
  readonly send: (ask: Ask) => Promise<Got>;
  readonly close: () => void;
} {
  const sessions = new Map<number, ClientHttp2Session>();
  const sessionOf = (port: number): ClientHttp2Session => {
    const known = sessions.get(port);
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 1024 * 1024 } });
    session.on("error", () => {});
    sessions.set(port, session);
    return session;
  };
  return {
    send: (ask) => (ask.isHttp2 ? sendOver2(sessionOf(ask.port), ask) : sendOver1(ask)),
    close() {
      for (const session of sessions.values()) session.destroy();
    },
  };
}

interface Writer {
  write(piece: Buffer): unknown;
  end(): unknown;
  readonly destroyed: boolean;
}

async function sendBody(to: Writer, { pieces, isSlow }: Ask): Promise<void> {
  for (const piece of pieces) {
    if (isSlow === true) await sleep(slowMs);
    if (to.destroyed) return;
    to.write(piece);
  }
  if (!to.destroyed) to.end();
}

function sendOver1(ask: Ask): Promise<Got> {
  const { port, method, path = "/", headers, pieces, isSlow, trailers } = ask;
  return new Promise((resolve) => {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const isChunked = isSlow === true || trailers !== undefined;
    const framing: Record<string, string> = isChunked
      ? { "transfer-encoding": "chunked" }
      : method === "GET" || method === "HEAD"
        ? {}
        : { "content-length": String(length) };
    const request = request1({
      host: "127.0.0.1",
      port,
      method,
      path,
      headers: { ...headers, ...framing },
      agent: false,
    });
    const chunks: Buffer[] = [];
    let got: Omit<Got, "end" | "body"> = { status: 0, headers: {}, trailers: {} };
    const finish = (end: Got["end"]): void => {
      clearTimeout(late);
      resolve({ ...got, end, body: Buffer.concat(chunks) });
      request.destroy();
    };
    const late = setTimeout(() => finish("hang"), timeoutMs);
    request.on("error", () => finish("reset"));
    request.on("response", (response) => {
      got = { ...got, status: response.statusCode ?? 0, headers: response.headers };
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        got = { ...got, trailers: response.trailers };
        finish("whole");
      });
      response.on("error", () => finish("reset"));
    });
    if (trailers !== undefined) request.addTrailers(trailers);
    if (isChunked) request.flushHeaders();
    void sendBody(request, ask);
  });
}

function sendOver2(session: ClientHttp2Session, ask: Ask): Promise<Got> {
  const { method, path = "/", headers, pieces, trailers } = ask;
  return new Promise((resolve) => {
    const stream = session.request(
      { ":method": method, ":path": path, ...headers },
      { endStream: pieces.length === 0 && trailers === undefined, waitForTrailers: trailers !== undefined },
    );
    const chunks: Buffer[] = [];
    let got: Omit<Got, "end" | "body"> = { status: 0, headers: {}, trailers: {} };
    let isOver = false;
    const finish = (end: Got["end"]): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(late);
      resolve({ ...got, end, body: Buffer.concat(chunks) });
      if (!stream.destroyed) stream.close();
    };
    const late = setTimeout(() => finish("hang"), timeoutMs);
    stream.on("wantTrailers", () => stream.sendTrailers({ ...trailers }));
    stream.on("response", (lines) => {
      got = { ...got, status: lines[":status"] ?? 0, headers: lines };
    });
    stream.on("trailers", (lines) => {
      got = { ...got, trailers: lines };
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", () => finish("reset"));
    stream.on("end", () => {
      // A stream that was reset ends too, before its error.
      setImmediate(() => finish(stream.rstCode === 0 ? "whole" : "reset"));
    });
    stream.on("close", () => finish(stream.rstCode === 0 ? "whole" : "reset"));
    if (!stream.writableEnded) void sendBody(stream, ask);
  });
}
