import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { decodeResponse, encodeRequest, type Plain } from "../unit/envoy/ext-proc/messages.js";

/** A stream of ext_proc as Envoy opens it. */
export interface ProcessingStream {
  send(message: Uint8Array): void;
  /** Nothing more will be sent. */
  end(): void;
  cancel(): void;
  /** Answers so far. */
  readonly answers: number;
  /** Fulfilled when there are so many, rejected when the stream ends before. */
  answered(count: number): Promise<void>;
  /** Status of gRPC when it is over; `cancelled` when there is none. */
  readonly ended: Promise<string>;
}

/** Opens connections to a server, over which many streams go. */
export interface ProcessingClient {
  /** `onAnswer` is given each answer in order. */
  open(onAnswer?: (answer: Plain) => void): ProcessingStream;
  close(): void;
}

/** So many connections; streams take turns on them. */
export async function openProcessingClient(port: number, connections: number): Promise<ProcessingClient> {
  const sessions = await Promise.all(
    Array.from(
      { length: connections },
      () =>
        new Promise<ClientHttp2Session>((resolve, reject) => {
          const session = connect(`http://127.0.0.1:${port}`, {
            settings: { initialWindowSize: 1 << 20 },
            peerMaxConcurrentStreams: 10_000,
          });
          session.setMaxListeners(0);
          session.once("remoteSettings", () => resolve(session));
          session.once("error", reject);
        }),
    ),
  );
  let opened = 0;
  return {
    open(onAnswer) {
      const session = sessions[opened++ % sessions.length];
      if (session === undefined) throw new Error("there is no connection");
      return streamOn(session, onAnswer);
    },
    close() {
      for (const session of sessions) session.destroy();
    },
  };
}

function streamOn(session: ClientHttp2Session, onAnswer?: (answer: Plain) => void): ProcessingStream {
  const stream: ClientHttp2Stream = session.request({
    ":method": "POST",
    ":path": "/envoy.service.ext_proc.v3.ExternalProcessor/Process",
    "content-type": "application/grpc",
    te: "trailers",
    "gatehouse-destination-namespace": "bookshop",
    "gatehouse-destination-workload-name": "books",
    "gatehouse-destination-labels": "app=books",
  });
  let answers = 0;
  let status = "cancelled";
  let rest: Buffer = Buffer.alloc(0);
  let waiting: {
    readonly count: number;
    readonly resolve: () => void;
    readonly reject: (e: Error) => void;
  }[] = [];
  stream.on("data", (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 5) {
      const end = 5 + rest.readUInt32BE(1);
      if (rest.length < end) break;
      answers += 1;
      onAnswer?.(decodeResponse(rest.subarray(5, end)));
      rest = rest.subarray(end);
    }
    const ready = waiting.filter(({ count }) => count <= answers);
    waiting = waiting.filter(({ count }) => count > answers);
    for (const { resolve } of ready) resolve();
  });
  stream.on("trailers", (trailers) => {
    status = String(trailers["grpc-status"]);
  });
  stream.on("error", () => {});
  const rejectWaiting = (): void => {
    for (const { reject } of waiting) reject(new Error(`the stream ended with ${status}`));
  };
  // Where the server ends it, what was not sent yet keeps it from closing.
  stream.on("end", rejectWaiting);
  const ended = new Promise<string>((resolve) => {
    stream.on("close", () => {
      rejectWaiting();
      resolve(status);
    });
  });
  return {
    send(message) {
      const frame = Buffer.alloc(5 + message.length);
      frame.writeUInt32BE(message.length, 1);
      frame.set(message, 5);
      stream.write(frame);
    },
    end: () => stream.end(),
    cancel: () => stream.close(constants.NGHTTP2_CANCEL),
    get answers() {
      return answers;
    },
    answered: (count) =>
      count <= answers
        ? Promise.resolve()
        : new Promise((resolve, reject) => {
            waiting.push({ count, resolve, reject });
          }),
    ended,
  };
}

const lines = (headers: Readonly<Record<string, string>>): Plain => ({
  headers: Object.entries(headers).map(([key, value]) => ({ key, raw_value: Buffer.from(value) })),
});

/** What Envoy's bootstrap of ours begins a stream with. */
export function requestHeaders(path: string): Uint8Array {
  const headers = lines({ ":method": "GET", ":path": path, ":authority": "shop.example", ":scheme": "http" });
  return encodeRequest({
    request_headers: { headers, end_of_stream: true },
    protocol_config: {},
  });
}

/** A piece of a request's body. */
export function requestBody(body: Uint8Array, isLast = false): Uint8Array {
  return encodeRequest({ request_body: { body, end_of_stream: isLast } });
}

/** The head of a response that has a body. */
export function responseHeaders(type: string): Uint8Array {
  return encodeRequest({ response_headers: { headers: lines({ ":status": "200", "content-type": type }) } });
}

/** A piece of a response's body. */
export function responseBody(body: Uint8Array, isLast = false): Uint8Array {
  return encodeRequest({ response_body: { body, end_of_stream: isLast } });
}

/** Bytes of body in an answer. */
export function bodyIn(answer: Plain): Buffer {
  const { response } = (answer["response_body"] ?? {}) as { response?: Plain };
  const mutation = (response?.["body_mutation"] ?? {}) as { streamed_response?: { body?: string } };
  return Buffer.from(mutation.streamed_response?.body ?? "", "base64");
}
