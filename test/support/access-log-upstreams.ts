import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import {
  createServer as createHttp2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";

/** Servers behind the proxy, on loopback. */
export interface Upstreams {
  /** HTTP/1.1 and websockets. What it does is in the path: `reset`, `never`, `fail`, `flaky` (fails once). */
  readonly http: number;
  /** gRPC over plain HTTP/2: sends each message back, or status 5 to `Missing`. */
  readonly grpc: number;
  /** Sends back what it gets. */
  readonly echo: number;
  stop(): void;
}

/** Starts them all. */
export async function startUpstreams(): Promise<Upstreams> {
  const open = new Set<{ destroy(): unknown }>();
  const flaky = new Set<string>();
  const http = createServer((request, response) => answer(request, response, flaky));
  http.on("upgrade", (_, socket: Socket) => {
    socket.on("error", () => socket.destroy());
    socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
    socket.on("data", (bytes) => socket.write(bytes));
  });
  const grpc = createHttp2Server();
  grpc.on("stream", (stream: ServerHttp2Stream, headers) => callBack(stream, headers[":path"] ?? ""));
  grpc.on("session", (session: ServerHttp2Session) => open.add(session));
  const echo = createTcpServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  });
  for (const server of [http, echo]) server.on("connection", (socket: Socket) => open.add(socket));
  const servers: readonly Server[] = [http, grpc, echo];
  const [httpPort = 0, grpcPort = 0, echoPort = 0] = await Promise.all(servers.map(listen));
  return {
    http: httpPort,
    grpc: grpcPort,
    echo: echoPort,
    stop() {
      for (const server of servers) server.close();
      for (const connection of open) connection.destroy();
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, flaky: Set<string>): void {
  const path = request.url ?? "";
  if (path.includes("reset")) {
    request.socket.destroy();
    return;
  }
  if (path.includes("never")) return;
  const failsOnce = path.includes("flaky") && !flaky.has(path);
  if (failsOnce) flaky.add(path);
  request.resume();
  request.on("end", () => {
    response.statusCode = failsOnce || path.includes("fail") ? 503 : 200;
    response.setHeader("content-type", "text/plain");
    response.end("hello");
  });
}

function callBack(stream: ServerHttp2Stream, path: string): void {
  stream.on("error", () => {});
  if (path.endsWith("/Missing")) {
    stream.resume();
    stream.respond(
      {
        ":status": 200,
        "content-type": "application/grpc",
        "grpc-status": "5",
        "grpc-message": "no such thing",
      },
      { endStream: true },
    );
    return;
  }
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.pipe(stream);
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
