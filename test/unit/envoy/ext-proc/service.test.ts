import { describe, expect, it } from "vitest";
import { deny } from "../../../../src/engine/index.js";
import type { ExtProcOptions, ExtProcStream } from "../../../../src/envoy/ext-proc/call.js";
import type { Exchange, HeadersOutcome } from "../../../../src/envoy/ext-proc/exchange.js";
import { createExtProcService, type ExtProcService } from "../../../../src/envoy/ext-proc/service.js";
import { goOn, goOnWithResponse, immediate, upperCase, verdicts } from "./exchanges.js";
import { decodeResponse, encodeRequest, type Plain } from "./messages.js";

interface Served {
  readonly service: ExtProcService;
  readonly stream: ExtProcStream;
  /** What the transport was told, and what the observer was. */
  readonly told: string[];
  readonly observed: string[];
  readonly errors: unknown[];
  readonly closes: () => number;
  readonly send: (message: Plain) => void;
}

interface Setup extends Partial<Exchange>, Pick<ExtProcOptions, "maxWaitingBytes"> {
  /** Whether the transport takes more. */
  readonly takes?: () => boolean;
}

function serve({ takes = () => true, maxWaitingBytes, ...own }: Setup = {}): Served {
  const told: string[] = [];
  const observed: string[] = [];
  const errors: unknown[] = [];
  let closes = 0;
  const exchange: Exchange = {
    requestHeaders: () => goOnWithResponse,
    responseHeaders: () => goOn,
    ...verdicts,
    metadata: () => undefined,
    close: () => void closes++,
    ...own,
  };
  const service = createExtProcService({
    exchange: () => exchange,
    observer: {
      opened: () => void observed.push("opened"),
      received: (kind, bytes) => void observed.push(`received ${kind} ${bytes}`),
      answered: (kind, bytes) => void observed.push(`answered ${kind} ${bytes}`),
      violated: (direction, what) => void observed.push(`violated ${direction} ${what}`),
      failed: (why) => void observed.push(`failed ${why}`),
      closed: () => void observed.push("closed"),
    },
    onError: (error) => void errors.push(error),
    ...(maxWaitingBytes !== undefined && { maxWaitingBytes }),
  });
  const stream = service.open(
    {
      send(bytes) {
        const message = decodeResponse(bytes);
        const { details, status } = (message["immediate_response"] ?? {}) as Plain;
        told.push(
          details === undefined ? Object.keys(message).join() : `${details} ${(status as Plain)["code"]}`,
        );
        return takes();
      },
      pause: () => void told.push("pause"),
      resume: () => void told.push("resume"),
      end: () => void told.push("end"),
      fail: (code) => void told.push(`fail ${code}`),
    },
    new Map(),
  );
  const send = (message: Plain): void => stream.receive(encodeRequest(message));
  return { service, stream, told, observed, errors, closes: () => closes, send };
}

const streamed = { request_body_mode: "STREAMED", response_body_mode: "STREAMED" };
const post: Plain = {
  request_headers: { headers: { headers: [{ key: ":method", raw_value: Buffer.from("POST") }] } },
  protocol_config: streamed,
};
const ok: Plain = {
  response_headers: { headers: { headers: [{ key: ":status", raw_value: Buffer.from("200") }] } },
};
const chunk = (text: string): Plain => ({ request_body: { body: Buffer.from(text) } });
const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Something that is answered when one wants. */
function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

describe("the ext_proc service", () => {
  it("answers in order, says what it did, and waits for Envoy to end the stream", () => {
    const { send, stream, told, observed, closes } = serve();
    for (const message of [post, ok, chunk("ab")]) send(message);
    expect(told).toEqual(["request_headers,mode_override", "response_headers,mode_override", "request_body"]);
    expect(observed).toEqual([
      "opened",
      "received request_headers 0",
      "answered request_headers 0",
      "received response_headers 0",
      "answered response_headers 0",
      "received request_body 2",
      "answered request_body 0",
    ]);
    stream.ended();
    expect(told.at(-1)).toBe("end");
    stream.closed();
    expect(closes()).toBe(1);
    expect(observed.filter((line) => line === "closed")).toHaveLength(1);
  });

  it("does not end the stream after an immediate answer, as OK might let the request through, and hears no more", () => {
    const { send, stream, told, closes } = serve({
      requestHeaders: () => ({ ...goOn, immediate: immediate("no") }),
    });
    for (const message of [post, chunk("a"), ok]) send(message);
    expect(told).toEqual(["no Forbidden"]);
    expect(closes()).toBe(0);
    stream.closed();
    stream.closed();
    expect(closes()).toBe(1);
  });

  it("lets a response go on while a request's body waits, and each direction in its own order", async () => {
    const waiting = deferred<{ kind: "go"; bytes: Uint8Array }>();
    const flow = { ...upperCase("streamed"), push: () => waiting.promise };
    const { send, told } = serve({ requestHeaders: () => ({ ...goOnWithResponse, flow }) });
    for (const message of [post, chunk("a"), chunk("b"), ok]) send(message);
    expect(told.map((line) => line.split(",").find((kind) => kind.startsWith("re")))).toEqual([
      "request_headers",
      "response_headers",
    ]);
    waiting.resolve({ kind: "go", bytes: Buffer.from("a") });
    await later();
    expect(told.slice(2)).toEqual(["request_body", "request_body"]);
  });

  it("ends nothing while something is being decided, though Envoy sends no more", async () => {
    const waiting = deferred<HeadersOutcome>();
    const { send, stream, told } = serve({ requestHeaders: () => waiting.promise });
    send(post);
    stream.ended();
    expect(told).toEqual([]);
    waiting.resolve({ ...goOn, immediate: immediate("no") });
    await later();
    expect(told).toEqual(["no Forbidden", "end"]);
  });

  it("pauses the transport while too much waits, and while it takes no more", async () => {
    const waiting = deferred<HeadersOutcome>();
    let takes = true;
    const { send, stream, told } = serve({
      requestHeaders: () => waiting.promise,
      maxWaitingBytes: 3,
      takes: () => takes,
    });
    send(post);
    send(chunk("ab"));
    expect(told).toEqual([]);
    send(chunk("cd"));
    expect(told).toEqual(["pause"]);
    takes = false;
    waiting.resolve(goOnWithResponse);
    await later();
    expect(told.filter((line) => line === "resume")).toEqual([]);
    stream.drained();
    expect(told.at(-1)).toBe("resume");
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("broken");
      },
    ],
    ["rejects", () => Promise.reject(new Error("broken"))],
  ])("answers with 500 when something %s", async (_, requestHeaders) => {
    const { send, stream, told, errors, observed, closes } = serve({ requestHeaders });
    send(post);
    await later();
    send(ok);
    expect(told).toEqual(["gatehouse_internal_error InternalServerError"]);
    expect(errors).toEqual([new Error("broken")]);
    expect(observed).toContain("failed internal_error");
    stream.closed();
    expect(closes()).toBe(1);
  });

  it("lets a paused transport go on when it has answered with 500, so that it hears of the end", async () => {
    const waiting = deferred<HeadersOutcome>();
    const { send, stream, told } = serve({ requestHeaders: () => waiting.promise, maxWaitingBytes: 3 });
    send(post);
    send(chunk("abcd"));
    waiting.reject(new Error("broken"));
    await later();
    send(chunk("e"));
    stream.ended();
    expect(told).toEqual(["pause", "gatehouse_internal_error InternalServerError", "resume", "end"]);
  });

  it("answers bytes that are no message with 500", () => {
    const { stream, told, observed } = serve();
    stream.receive(Buffer.from([255]));
    expect(told).toEqual(["gatehouse_internal_error InternalServerError"]);
    expect(observed).toContain("failed malformed");
  });

  it("fails the call where not even that can be sent", () => {
    const { send, told, closes } = serve({
      takes: () => {
        throw new Error("gone");
      },
    });
    send(post);
    expect(told.at(-1)).toBe("fail 13");
    expect(closes()).toBe(1);
  });

  it("takes what was decided after the stream was over for nothing", async () => {
    const waiting = deferred<HeadersOutcome>();
    const { send, stream, told, errors } = serve({ requestHeaders: () => waiting.promise });
    send(post);
    stream.closed();
    waiting.reject(new Error("too late"));
    await later();
    expect([told, errors]).toEqual([[], []]);
  });

  it("keeps streams usable until they are failed with UNAVAILABLE, never ended with OK", () => {
    const { service, send, told, observed, closes } = serve();
    send(post);
    expect(service.streams()).toBe(1);
    send(ok);
    service.failAll();
    expect(told.at(-1)).toBe("fail 14");
    expect(observed).toContain("failed closing");
    expect([service.streams(), closes()]).toEqual([0, 1]);
  });

  it("answers nothing in observability mode, whatever happens", async () => {
    for (const requestHeaders of [
      () => goOnWithResponse,
      () => ({ ...goOn, immediate: immediate("no") }),
      () => Promise.reject(new Error("broken")),
    ]) {
      const { send, stream, told, closes } = serve({ requestHeaders });
      for (const message of [post, chunk("a"), ok]) send({ ...message, observability_mode: true });
      await later();
      stream.ended();
      stream.closed();
      expect(told.filter((line) => line !== "end")).toEqual([]);
      expect(closes()).toBe(1);
    }
  });

  it("refuses who may not ask as ext_authz does, once, and asks nobody", () => {
    const { service, closes } = serve();
    const answers: Plain[] = [];
    const { receive, ended } = service.refuse({
      send: (bytes) => answers.push(decodeResponse(bytes)) > 0,
      pause: () => {},
      resume: () => {},
      end: () => answers.push({ end: true }),
      fail: (code) => answers.push({ code }),
    });
    for (const message of [post, chunk("a")]) receive(encodeRequest(message));
    ended();
    const { code, body } = deny("guard", "untrusted_caller");
    expect(answers).toMatchObject([
      {
        immediate_response: {
          status: { code: "Forbidden" },
          body: Buffer.from(body).toString("base64"),
          grpc_status: { status: code },
        },
      },
      { end: true },
    ]);
    expect(closes()).toBe(0);
  });

  it("has no exchange to close where nothing was asked", () => {
    const { stream, told, closes } = serve();
    stream.ended();
    expect([told, closes()]).toEqual([["end"], 0]);
  });
});
