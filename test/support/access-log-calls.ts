import { connect as connectHttp2, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import type { KeyPair } from "./certificates.js";

/** One request over HTTP/2 without TLS, on a connection of its own; gives headers and trailers of the answer. */
export async function sendHttp2(
  port: number,
  headers: OutgoingHttpHeaders,
  body: Buffer = Buffer.alloc(0),
): Promise<IncomingHttpHeaders> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  const answer: IncomingHttpHeaders = {};
  try {
    await new Promise<void>((resolve, reject) => {
      const stream = session.request({ ":authority": "shop.example", ...headers }, { endStream: false });
      stream.on("response", (got) => Object.assign(answer, got));
      stream.on("trailers", (got) => Object.assign(answer, got));
      stream.on("error", reject);
      stream.on("end", resolve);
      stream.resume();
      stream.end(body);
    });
  } finally {
    session.close();
  }
  return answer;
}

/** A call of gRPC with these messages; gives `grpc-status`. */
export async function callGrpc(
  port: number,
  method: string,
  messages: readonly string[],
): Promise<string | undefined> {
  const frames = messages.map((text) => {
    const frame = Buffer.alloc(5 + text.length);
    frame.writeUInt32BE(text.length, 1);
    frame.write(text, 5);
    return frame;
  });
  const headers = {
    ":method": "POST",
    ":path": `/echo.Echo/${method}`,
    "content-type": "application/grpc",
    "user-agent": "caller/1",
    te: "trailers",
  };
  const answer = await sendHttp2(port, headers, Buffer.concat(frames));
  return String(answer["grpc-status"]);
}

/** Upgrades to a websocket, says `hello`, waits until it comes back and goes. */
export async function talkOverWebsocket(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  const lines = ["GET /chat HTTP/1.1", "host: shop.example", "connection: upgrade", "upgrade: websocket"];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  await said(socket, "\r\n\r\n");
  socket.write("hello");
  await said(socket, "hello");
  socket.end();
  socket.destroy();
}

/** Sends a GET and goes away before there is an answer. */
export async function giveUp(port: number, path: string): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nhost: shop.example\r\n\r\n`);
  await sleep(200);
  socket.destroy();
}

/** Sends what is no HTTP and waits for the end. */
export async function sayNonsense(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("NONSENSE\r\n\r\n");
  await ended(socket);
}

/** Who opens a TCP connection. */
export interface Caller {
  readonly port: number;
  readonly ca: string;
  readonly client: KeyPair;
}

/** Opens one and says something; resolves when the proxy has closed it. */
export async function beRefused({ port, ca, client }: Caller): Promise<void> {
  const socket = connectTls({ host: "127.0.0.1", port, servername: "localhost", ca, ...client });
  socket.on("error", () => {});
  socket.write("abc");
  await ended(socket);
}

/** Opens one, has `abc` sent back, and gives how to say more and go. */
export async function stayConnected({ port, ca, client }: Caller): Promise<(more: string) => Promise<void>> {
  const socket = connectTls({ host: "127.0.0.1", port, servername: "localhost", ca, ...client });
  socket.write("abc");
  await said(socket, "abc");
  return async (more) => {
    socket.write(more);
    await said(socket, more);
    socket.end();
    await ended(socket);
  };
}

function said(socket: Socket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let got = "";
    const take = (bytes: Buffer): void => {
      got += bytes.toString("latin1");
      if (!got.endsWith(text)) return;
      socket.off("data", take);
      resolve();
    };
    socket.on("data", take);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error(`closed before \`${text}\` was said`)));
  });
}

function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
    socket.resume();
  });
}
