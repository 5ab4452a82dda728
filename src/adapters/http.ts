import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { GatehouseError } from "../diagnostics/index.js";
import { createEgress, type EgressOptions, type Resolve } from "./http-egress.js";
import { HttpFailure } from "./http-failure.js";

/** Where a request goes, whatever its path says. */
export interface HttpOrigin {
  readonly scheme: "http" | "https";
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Where an http or https URL leads. */
export function originOf({ protocol, hostname, port }: URL): HttpOrigin {
  const scheme = protocol === "https:" ? "https" : "http";
  const standard = scheme === "https" ? 443 : 80;
  return { scheme, host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? standard : Number(port) };
}

/** One request. Method, path and headers are byte strings and go out as they are. */
export interface HttpQuestion {
  readonly origin: HttpOrigin;
  readonly method: string;
  /** With query; not parsed, not encoded. */
  readonly path: string;
  /** Lower-case names. `host` stands in for the origin's; `content-length` is ours. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** For the whole exchange: name lookup, connection, answer with its body. */
  readonly timeoutMs: number;
  /** Of the answer's body; a longer one is an error. */
  readonly maxBytes: number;
}

/** The answer, a redirect too: none is followed. */
export interface HttpAnswer {
  readonly status: number;
  /** Every line in order, names in lower case, values as byte strings. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

/** What the client may be given. */
export interface HttpClientOptions {
  readonly egress?: EgressOptions;
  readonly resolve?: Resolve;
}

/**
 * The only way out over HTTP. Takes no proxy from the environment, checks the address that it connects to.
 */
export interface HttpClient {
  /**
   * Rejects with a coded error only: `bad_request` when the question cannot be sent as it is, `timeout`, else
   * `http`, an {@link HttpFailure} unless the client is closed. No message holds text of the answer.
   */
  readonly send: (question: HttpQuestion) => Promise<HttpAnswer>;
  /** Refuses new questions, gives those under way `graceMs`, then ends them and closes every connection. */
  readonly close: (graceMs?: number) => Promise<void>;
}

const maxHeaderBytes = 65_536;
const maxTimerMs = 2_147_483_647;

/** A client with its own connections, kept alive per origin. Throws for bad egress options. */
export function createHttpClient(options: HttpClientOptions = {}): HttpClient {
  const egress = createEgress(options.egress, options.resolve);
  const lookup = egress.lookup;
  const pools = {
    kept: {
      http: new Agent({ keepAlive: true, lookup }),
      https: new HttpsAgent({ keepAlive: true, lookup }),
    },
    fresh: { http: new Agent({ lookup }), https: new HttpsAgent({ lookup }) },
  };
  const underWay = new Map<AbortController, Promise<unknown>>();
  let closed = false;

  const send = (question: HttpQuestion): Promise<HttpAnswer> => {
    const { scheme, host } = question.origin;
    if (closed) return Promise.reject(new GatehouseError("http", "the client is closed"));
    if (!egress.allowsHost(host)) {
      return Promise.reject(new HttpFailure("egress", `\`${host}\` may not be connected to`));
    }
    const abort = new AbortController();
    const timer = setTimeout(
      () =>
        abort.abort(new GatehouseError("timeout", `no answer of \`${host}\` in ${question.timeoutMs} ms`)),
      Math.min(question.timeoutMs, maxTimerMs),
    );
    const answer = exchange(question, pools.kept[scheme], abort.signal)
      .catch((error: unknown) => {
        if (!(error instanceof StaleConnection)) throw error;
        return exchange(question, pools.fresh[scheme], abort.signal);
      })
      .catch((error: unknown) => {
        if (abort.signal.aborted) throw abort.signal.reason;
        throw error instanceof GatehouseError ? error : failure(host, error);
      })
      .finally(() => {
        clearTimeout(timer);
        underWay.delete(abort);
      });
    underWay.set(abort, answer);
    return answer;
  };

  const close = async (graceMs = 0): Promise<void> => {
    closed = true;
    if (underWay.size > 0) {
      const ending = new GatehouseError("http", "the client was closed");
      const timer = setTimeout(() => {
        for (const abort of underWay.keys()) abort.abort(ending);
      }, graceMs);
      await Promise.allSettled(underWay.values());
      clearTimeout(timer);
    }
    for (const pool of Object.values(pools)) {
      pool.http.destroy();
      pool.https.destroy();
    }
  };
  return { send, close };
}

/** The server had closed the kept connection before it read the question. */
class StaleConnection extends Error {}

function exchange(question: HttpQuestion, agent: Agent, signal: AbortSignal): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const outgoing = start(question, agent, signal);
    let answered = false;
    outgoing.once("response", (incoming) => {
      answered = true;
      collect(incoming, question.maxBytes).then(resolve, (error: unknown) => {
        reject(error);
        outgoing.destroy();
      });
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      const reset = error.code === "ECONNRESET" || error.code === "EPIPE";
      reject(outgoing.reusedSocket && reset && !answered ? new StaleConnection() : error);
    });
    // Also the end of a 101, of which there is no other event.
    outgoing.once("close", () => {
      if (!answered) reject(new HttpFailure("connect", "the connection ended without an answer"));
    });
    outgoing.end(question.body);
  });
}

/** Throws `bad_request` for what Node does not put on the wire, before anything is connected. */
function start(question: HttpQuestion, agent: Agent, signal: AbortSignal): ClientRequest {
  const { origin, method, path, body } = question;
  // Node would put GET and `/` in their place; and answers to CONNECT are no answers to it.
  if (method === "" || path === "" || method.toUpperCase() === "CONNECT") {
    throw new GatehouseError("bad_request", "the request has no method and path that can be sent on");
  }
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of question.headers) headers[name] = value;
  headers["content-length"] = String(body.byteLength);
  try {
    const request = origin.scheme === "https" ? httpsRequest : httpRequest;
    const target = { host: origin.host, port: origin.port, method, path, headers };
    const outgoing = request({ ...target, agent, signal, maxHeaderSize: maxHeaderBytes });
    // Node made it upper case, which is another method (RFC 9110 section 9.1).
    outgoing.method = method;
    return outgoing;
  } catch (error) {
    throw new GatehouseError("bad_request", "the request holds bytes that cannot be sent on", {
      cause: error,
    });
  }
}

function collect(incoming: IncomingMessage, maxBytes: number): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    incoming.on("data", (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size <= maxBytes) chunks.push(chunk);
      else incoming.destroy(new HttpFailure("too_large", `the answer is longer than ${maxBytes} bytes`));
    });
    incoming.once("error", reject);
    incoming.once("close", () => reject(new HttpFailure("connect", "the answer ended too early")));
    incoming.once("end", () => {
      resolve({
        status: incoming.statusCode ?? 0,
        headers: lines(incoming.rawHeaders),
        body: Buffer.concat(chunks),
      });
    });
  });
}

function lines(raw: readonly string[]): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    found.push([(raw[i] ?? "").toLowerCase(), raw[i + 1] ?? ""]);
  }
  return found;
}

/** Node's parser errors carry the bytes of the answer, so only the code is kept. */
function failure(host: string, error: unknown): GatehouseError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  return new HttpFailure("connect", `exchange with \`${host}\` failed: ${code}`);
}
