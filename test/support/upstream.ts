import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";

/** What the upstream got, which it also answers as JSON with status 200. */
export interface Received {
  readonly method: string;
  /** As it came, with query. */
  readonly path: string;
  /** Every header line in order, as it came. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** A server behind Envoy, on loopback. */
export interface Upstream {
  readonly port: number;
  /** Requests so far, in order; empty for TCP. */
  readonly received: readonly Received[];
  stop(): Promise<void>;
}

/** An HTTP/1.1 server that answers each request with what it got, or, where its path has an answer, with that JSON. */
export async function startUpstream(
  port: number = 0,
  answers: ReadonlyMap<string, unknown> = new Map(),
): Promise<Upstream> {
  const received: Received[] = [];
  const server = createServer({ joinDuplicateHeaders: true }, (request, response) => {
    read(request).then(
      (got) => {
        received.push(got);
        response.writeHead(200, { "content-type": "application/json" });
        response.end(`${JSON.stringify(answers.get(got.path) ?? got)}\n`);
      },
      () => response.destroy(),
    );
  });
  return listen(server, port, received);
}

/** A TCP server that sends back what it gets. */
export async function startTcpEcho(port: number = 0): Promise<Upstream> {
  return listen(
    createTcpServer((socket) => socket.pipe(socket)),
    port,
    [],
  );
}

async function read(request: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    headers.push([request.rawHeaders[i] ?? "", request.rawHeaders[i + 1] ?? ""]);
  }
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    headers,
    body: Buffer.concat(chunks).toString("utf8"),
  };
}

async function listen(server: Server, port: number, received: readonly Received[]): Promise<Upstream> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    received,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Envoy keeps its connections, for which close() alone would wait.
        for (const socket of sockets) socket.destroy();
      }),
  };
}
