import { request as httpRequest, type IncomingHttpHeaders } from "node:http";

/** How a call ended: with a whole answer, cut off in the middle of it or before it, or given up by us. */
export type CallEnd = "whole" | "cut" | "none" | "given up";

/** What a client got. */
export interface Got {
  readonly end: CallEnd;
  /** 0: there was no answer. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A request whose body is sent, and whose answer is looked at, bit by bit. */
export interface SlowCall {
  write(text: string): void;
  /** Ends the request. */
  end(text?: string): void;
  /** What came of the body so far. */
  readonly sofar: string;
  readonly status: number;
  giveUp(): void;
  readonly got: Promise<Got>;
}

/** How it is sent. */
export interface SlowCallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends the headers of a request over a connection of its own. */
export function beginCall(port: number, path: string, options: SlowCallOptions = {}): SlowCall {
  const { method = "GET", headers = {} } = options;
  let status = 0;
  let answerHeaders: IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  const body = (): string => Buffer.concat(chunks).toString();
  const request = httpRequest({ host: "127.0.0.1", port, path, method, headers, agent: false });
  const got = new Promise<Got>((resolve) => {
    let isGivenUp = false;
    const over = (end: CallEnd): void =>
      resolve({ end: isGivenUp ? "given up" : end, status, headers: answerHeaders, body: body() });
    request.once("giveUp", () => {
      isGivenUp = true;
    });
    request.on("error", () => over(status === 0 ? "none" : "cut"));
    request.on("response", (response) => {
      status = response.statusCode ?? 0;
      answerHeaders = response.headers;
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", () => over("cut"));
      response.on("close", () => over(response.complete ? "whole" : "cut"));
    });
  });
  request.flushHeaders();
  return {
    write: (text) => void request.write(text),
    end: (text) => void request.end(text),
    get sofar() {
      return body();
    },
    get status() {
      return status;
    },
    giveUp: () => {
      request.emit("giveUp");
      request.destroy();
    },
    got,
  };
}

/** A whole request at once. */
export function call(
  port: number,
  path: string,
  { body, ...options }: SlowCallOptions & { readonly body?: string | Buffer } = {},
): Promise<Got> {
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const begun = beginCall(port, path, {
    method: body === undefined ? "GET" : "POST",
    ...options,
    headers: { ...length, ...options.headers },
  });
  begun.end(body as string | undefined);
  return begun.got;
}
