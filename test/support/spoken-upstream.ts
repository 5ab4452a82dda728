import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { buffer } from "node:stream/consumers";

/** A request that came through. */
export interface Heard {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Undefined until it is over. */
  body: Buffer | undefined;
}

/** What is answered to a request; `body` is complete. */
export type Speak = (
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
) => void | Promise<void>;

/** An upstream that answers as the test says. */
export interface SpokenUpstream {
  readonly port: number;
  /** Every request whose headers came, in order. */
  readonly heard: readonly Heard[];
  /** Those whose path begins so. */
  heardAt(path: string): readonly Heard[];
  stop(): Promise<void>;
}

/** Starts it on loopback; `routes` by path without query. What has no route is answered with `{}`. */
export async function startSpokenUpstream(routes: Readonly<Record<string, Speak>>): Promise<SpokenUpstream> {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    const one: Heard = { method, path: url, headers, body: undefined };
    heard.push(one);
    buffer(request).then(
      async (body) => {
        one.body = body;
        const speak = routes[url.split("?")[0] ?? ""];
        if (speak === undefined) response.writeHead(200, { "content-type": "application/json" }).end("{}");
        else await speak(request, response, body);
      },
      () => response.destroy(),
    );
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    heard,
    heardAt: (path) => heard.filter((one) => one.path.startsWith(path)),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Answers with this JSON text. */
export function saysJson(text: string, headers: Readonly<Record<string, string>> = {}): Speak {
  return (_, response) => {
    const length = String(Buffer.byteLength(text));
    response
      .writeHead(200, { "content-type": "application/json", "content-length": length, ...headers })
      .end(text);
  };
}

/** What is held back by the test until it lets go. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

/** A gate that is closed. */
export function createGate(): Gate {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
