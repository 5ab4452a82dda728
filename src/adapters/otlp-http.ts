import type { OtlpSinkSpec } from "../logs/index.js";
import type { HttpClient } from "./http.js";
import { HttpFailure } from "./http-failure.js";
import { readRejected, readRetryAfter, type Sent } from "./otlp-answer.js";

/** How bytes of one signal get to a receiver. */
export interface OtlpTransport {
  /** Never rejects. */
  readonly send: (bytes: Uint8Array) => Promise<Sent>;
  /** Ends what is under way, if it can. */
  readonly close: () => void;
}

const maxAnswerBytes = 64 * 1024;
const retryable = new Set([429, 502, 503, 504]);

/** OTLP/HTTP with binary protobuf over the guarded client. `now`: milliseconds since the epoch. */
export function httpTransport(
  spec: OtlpSinkSpec,
  signal: "logs" | "traces",
  { http, now }: { readonly http: () => HttpClient; readonly now: () => number },
): OtlpTransport {
  const headers = new Map(spec.headers.map(([name, value]) => [name.toLowerCase(), value]));
  headers.set("content-type", "application/x-protobuf");
  const question = {
    origin: { scheme: spec.tls ? "https" : "http", host: spec.host, port: spec.port },
    method: "POST",
    path: spec.path || `/v1/${signal}`,
    headers,
    timeoutMs: spec.timeoutMs,
    maxBytes: maxAnswerBytes,
  } as const;

  const send = async (body: Uint8Array): Promise<Sent> => {
    try {
      const answer = await http().send({ ...question, body });
      const { status } = answer;
      if (status >= 200 && status < 300) return { kind: "taken", rejected: readRejected(answer.body) };
      const reason = `HTTP status ${status}`;
      if (!retryable.has(status)) return { kind: "refused", reason };
      const wish = answer.headers.find(([name]) => name === "retry-after")?.[1];
      return { kind: "later", afterMs: readRetryAfter(wish, now()), reason };
    } catch (error) {
      return judge(error);
    }
  };
  return { send, close: () => {} };
}

/** What can change by itself is tried again; what our own settings forbid, or the client cannot send, is not. */
function judge(error: unknown): Sent {
  const reason = error instanceof Error ? error.message : "unknown";
  const isBad = error instanceof Error && "code" in error && error.code === "bad_request";
  if (isBad) return { kind: "refused", reason };
  // A long answer came after the receiver had taken, or refused, what it got.
  if (error instanceof HttpFailure && error.reason === "too_large") return { kind: "refused", reason };
  return { kind: "later", afterMs: undefined, reason };
}
