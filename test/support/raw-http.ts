import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { KeyPair } from "./certificates.js";

/** One request, byte by byte as it goes over the wire. */
export interface RawCall {
  readonly port: number;
  /** One character a byte. */
  readonly bytes: string;
  readonly localAddress?: string;
  /** Speak TLS, with this client certificate and this SNI if any. */
  readonly tls?: { readonly client?: KeyPair; readonly serverName?: string };
  readonly timeoutMs?: number;
}

/** What came back. `status` is 0 when the connection ended without an answer. */
export interface RawAnswer {
  readonly status: number;
  /** The first line of each name, lower-cased; one character a byte. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/**
 * A GET over HTTP/1.1 with these header lines, each one character a byte; `Host: localhost` unless they name
 * a host.
 */
export function rawRequest(path: string, lines: readonly string[] = [], method = "GET"): string {
  const host = lines.some((line) => /^host\b/i.test(line)) ? [] : ["Host: localhost"];
  return [`${method} ${path} HTTP/1.1`, ...host, ...lines, "", ""].join("\r\n");
}

/** The bytes of a text's UTF-8 form, one character a byte. */
export function utf8(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Sends the bytes over a connection of its own and reads one answer; rejects when none comes in time. */
export async function sendRaw(call: RawCall): Promise<RawAnswer> {
  const socket = open(call);
  const isHead = call.bytes.startsWith("HEAD ");
  let received = "";
  try {
    return await new Promise<RawAnswer>((resolve, reject) => {
      const late = setTimeout(
        () =>
          reject(
            new Error(`no answer from port ${call.port} to ${JSON.stringify(call.bytes.slice(0, 200))}`),
          ),
        call.timeoutMs ?? 10_000,
      );
      socket.setEncoding("latin1");
      const finish = (answer: RawAnswer): void => {
        clearTimeout(late);
        resolve(answer);
      };
      socket.on("data", (text: string) => {
        received += text;
        const answer = parseAnswer(received, isHead);
        if (answer !== undefined) finish(answer);
      });
      socket.on("end", () => finish(parseAnswer(received, true) ?? nothing));
      socket.on("error", () => finish(parseAnswer(received, true) ?? nothing));
      socket.on("close", () => finish(parseAnswer(received, true) ?? nothing));
      socket.write(call.bytes, "latin1");
    });
  } finally {
    socket.destroy();
  }
}

const nothing: RawAnswer = { status: 0, headers: new Map(), body: "" };

function open({ port, localAddress, tls }: RawCall): Socket {
  const at = { host: "127.0.0.1", port, ...(localAddress === undefined ? {} : { localAddress }) };
  if (tls === undefined) return connect(at);
  // The server is our own on loopback; what is under test is what it learns of the client.
  return connectTls({
    ...at,
    rejectUnauthorized: false,
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
    ...(tls.client ?? {}),
  });
}

/** The answer when it is whole; `ended` says that no more will come, so that what is there is all. */
function parseAnswer(text: string, ended: boolean): RawAnswer | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? 0);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  const body = text.slice(end + 4);
  const length = Number(headers.get("content-length") ?? (headers.has("transfer-encoding") ? Number.NaN : 0));
  const whole = Number.isNaN(length) ? body.endsWith("0\r\n\r\n") : body.length >= length;
  return whole || ended ? { status, headers, body } : undefined;
}
