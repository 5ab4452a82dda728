import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { METRICS_CONTENT_TYPE } from "../telemetry/index.js";
import { cannotListen, formatAddress, type ListenAddress, removeStaleSocket } from "./address.js";

/** What a page answers with. */
export interface PageAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Text that may be long: it is sent as it is made. */
export type Pieces = AsyncIterable<string> | Iterable<string>;

/** A page that is too long to be made at once. */
export interface LongAnswer {
  readonly type: string;
  readonly pieces: Pieces;
}

/** Makes an answer; `query` is the request's. Never shows a secret. */
export type Page = (query: URLSearchParams) => PageAnswer | LongAnswer | Promise<PageAnswer | LongAnswer>;

/** Says why a request is refused, or undefined when it may pass. */
export type Guard = (request: IncomingMessage) => PageAnswer | undefined;

/** A small HTTP server that answers GET and HEAD, and POST where it is asked to do something. */
export interface PageServer {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

interface PageServerOptions {
  readonly address: ListenAddress;
  /** By path. */
  readonly pages: ReadonlyMap<string, Page>;
  /** By path: what changes something, only for POST. Whoever asks says all in the query; a body is not read. */
  readonly actions?: ReadonlyMap<string, Page>;
  readonly guard: Guard;
  readonly onError: (error: unknown) => void;
}

const SAFETY = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
  "x-content-type-options": "nosniff",
};

/** A reader that takes nothing for so many milliseconds is gone. */
const SLOW_MS = 30_000;

/** Serves `pages` and `actions`; everything else is 404, other methods than theirs are 405. */
export async function servePages(options: PageServerOptions): Promise<PageServer> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    answer(request, options)
      .catch((error: unknown) => {
        options.onError(error);
        return text(500, "internal error");
      })
      .then((page) => send(request, response, page))
      .catch(options.onError);
  });
  server.maxConnections = 256;
  const address = await listen(server, options.address);
  server.on("error", options.onError);
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  { pages, actions, guard }: PageServerOptions,
): Promise<PageAnswer | LongAnswer> {
  const refusal = guard(request);
  if (refusal !== undefined) return refusal;
  const url = request.url ?? "/";
  // Only the first one parts them: a value may have others.
  const end = url.includes("?") ? url.indexOf("?") : url.length;
  const [path, query] = [url.slice(0, end), url.slice(end + 1)];
  const action = actions?.get(path);
  if (action !== undefined) return refusalOfPost(request) ?? (await action(new URLSearchParams(query)));
  if (request.method !== "GET" && request.method !== "HEAD")
    return text(405, "only GET and HEAD are answered");
  const page = pages.get(path);
  return page === undefined ? text(404, "no such page") : await page(new URLSearchParams(query));
}

/** A page of another site can make a browser send a POST here, by an address that the guard lets pass. */
function refusalOfPost({ method, headers }: IncomingMessage): PageAnswer | undefined {
  if (method !== "POST") return text(405, "only POST is answered");
  const fromBrowser = headers.origin !== undefined || headers["sec-fetch-site"] !== undefined;
  return fromBrowser ? text(403, "a browser may not ask for this") : undefined;
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  page: PageAnswer | LongAnswer,
): Promise<void> {
  const headers = { ...SAFETY, "content-type": page.type };
  const isHead = request.method === "HEAD";
  if (!("pieces" in page)) {
    const body = Buffer.from(page.body);
    response.writeHead(page.status, { ...headers, "content-length": body.length });
    response.end(isHead ? undefined : body);
    return;
  }
  response.writeHead(200, headers);
  if (isHead) {
    response.end();
    return;
  }
  // Whoever stops reading does not keep what is to be sent.
  response.setTimeout(SLOW_MS, () => response.destroy());
  await pipeline(Readable.from(page.pieces), response).catch((error: unknown) => {
    if (!isClosedEarly(error)) throw error;
  });
}

function isClosedEarly(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_STREAM_PREMATURE_CLOSE";
}

async function listen(server: Server, address: ListenAddress): Promise<ListenAddress> {
  if (address.kind === "unix") await removeStaleSocket(address.path);
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => reject(cannotListen(formatAddress(address), error));
    server.once("error", fail);
    server.listen(
      address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port },
      () => {
        server.off("error", fail);
        resolve();
      },
    );
  });
  const bound = server.address();
  return address.kind === "tcp" && bound !== null && typeof bound === "object"
    ? { ...address, port: bound.port }
    : address;
}

/** A JSON page, indented for people. */
export function json(value: unknown, status = 200): PageAnswer {
  return { status, type: "application/json; charset=utf-8", body: `${JSON.stringify(value, null, 2)}\n` };
}

/** A plain text page. */
export function text(status: number, body: string): PageAnswer {
  return { status, type: "text/plain; charset=utf-8", body: `${body}\n` };
}

/** A page in Prometheus' text form. */
export function metricsPage(pieces: Pieces): LongAnswer {
  return { type: METRICS_CONTENT_TYPE, pieces };
}
