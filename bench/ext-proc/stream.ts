import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { frameOf } from "../load/grpc-call.js";
import { initialMetadata, type Message, PROCESS, processMethod } from "./messages.js";

/** A stream of external processing from Envoy's end, without what a gRPC library would cost. */
export interface ProcessStream {
  readonly http: ClientHttp2Stream;
  /** Resolves when more can be taken. */
  send(message: Uint8Array): Promise<void>;
  /** The next answer; rejects when the stream ends before. */
  next(): Promise<Message>;
  /** When nothing more is to be said; resolves when the server has ended it too. */
  close(): Promise<void>;
}

/** Opens one. */
export function openProcess(session: ClientHttp2Session): ProcessStream {
  const http = session.request({
    ":method": "POST",
    ":path": PROCESS,
    "content-type": "application/grpc",
    te: "trailers",
    ...initialMetadata,
  });
  const answers: Message[] = [];
  let waiting: { resolve(message: Message): void; reject(error: Error): void } | undefined;
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    waiting?.reject(failure);
  };
  let rest: Buffer = Buffer.alloc(0);
  http.on("data", (bytes: Buffer) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1);
      const message = processMethod.responseDeserialize(rest.subarray(5, end)) as Message;
      rest = rest.subarray(end);
      if (waiting === undefined) answers.push(message);
      else waiting.resolve(message);
      waiting = undefined;
    }
  });
  http.on("error", fail);
  let status = "none";
  http.on("trailers", (trailers) => {
    status = String(trailers["grpc-status"]);
    fail(new Error(`the stream ended with grpc-status ${status}`));
  });
  http.on("close", () => fail(new Error("the stream was closed")));
  return {
    http,
    send: (message) =>
      new Promise((resolve, reject) => {
        if (http.destroyed) reject(failure ?? new Error("the stream was closed"));
        else if (http.write(frameOf(message))) resolve();
        else http.once("drain", resolve);
      }),
    next() {
      const answer = answers.shift();
      if (answer !== undefined) return Promise.resolve(answer);
      if (failure !== undefined) return Promise.reject(failure);
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
      });
    },
    close: () =>
      new Promise((resolve, reject) => {
        http.once("close", () => (status === "0" ? resolve() : reject(failure)));
        http.end();
      }),
  };
}
