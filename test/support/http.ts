import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";
import type { KeyPair } from "./certificates.js";

/** One request over a connection of its own. */
export interface HttpCall {
  readonly port: number;
  readonly method?: string;
  /** Sent as it is, never normalised. */
  readonly path: string;
  /** `host` replaces the default. A value of several is sent as that many lines. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
  /** The address to come from. */
  readonly localAddress?: string;
  /** Speak TLS, with this client certificate if any. */
  readonly tls?: { readonly ca: string; readonly client?: KeyPair; readonly serverName?: string };
  readonly timeoutMs?: number;
}

/** What came back. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Sends one HTTP/1.1 request to 127.0.0.1; rejects when no whole answer comes in time. */
export function send(call: HttpCall): Promise<HttpAnswer> {
  const options = {
    host: "127.0.0.1",
    port: call.port,
    method: call.method ?? "GET",
    path: call.path,
    headers: { ...call.headers },
    agent: false as const,
    timeout: call.timeoutMs ?? 10_000,
    ...(call.localAddress === undefined ? {} : { localAddress: call.localAddress }),
  };
  return new Promise((resolve, reject) => {
    const request =
      call.tls === undefined
        ? httpRequest(options)
        : httpsRequest({
            ...options,
            servername: call.tls.serverName ?? "localhost",
            ca: call.tls.ca,
            ...call.tls.client,
          });
    request.on("timeout", () => request.destroy(new Error(`no answer from port ${call.port}`)));
    request.on("error", reject);
    request.on("response", (response) => {
      text(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        reject,
      );
    });
    request.end(call.body);
  });
}
