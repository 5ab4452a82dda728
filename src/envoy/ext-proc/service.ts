import type { FlowStep, LastStep } from "../../body/index.js";
import { grpcCode } from "../../engine/index.js";
import { createMessageReader } from "./decode.js";
import { createAnswerWriter } from "./encode.js";
import type { Exchange, HeadersOutcome, Immediate } from "./exchange.js";
import type { Answer, Direction, Part, ProcessingMessage } from "./message.js";
import { createSession, type Session, type Violation } from "./session.js";
import type { Work } from "./side.js";

/** What a message or an answer is, in Envoy's names. */
export type ExtProcKind = `${Direction}_${Part["kind"]}`;

/**
 * Why a stream was ended by us: a message could not be read; something of ours threw; the server closes; the transport
 * could not send.
 */
export type ExtProcFailure = "malformed" | "internal_error" | "closing" | "send_failed";

/** Told of what happens, for metrics. Its functions must not throw. */
export interface ExtProcObserver {
  opened(): void;
  /** `bytes`: of the body. */
  received(kind: ExtProcKind, bytes: number): void;
  /** `bytes`: of the body. */
  answered(kind: ExtProcKind | "immediate_response", bytes: number): void;
  violated(direction: Direction, what: Violation): void;
  failed(why: ExtProcFailure): void;
  /** Once for each that was opened. */
  closed(): void;
}

/** One call as the transport sees it. Nothing is called after `end` or `fail`. */
export interface ExtProcCall {
  /** False: enough is on its way; `drained` is called when it is gone. */
  send(bytes: Uint8Array): boolean;
  /** Let no more messages come until `resume`; those that come nevertheless are taken. */
  pause(): void;
  resume(): void;
  /** Ends it with OK; only after Envoy ended it too, and everything was answered. */
  end(): void;
  /** Ends it with an error. */
  fail(code: number, details: string): void;
}

/** What the transport tells. */
export interface ExtProcStream {
  /** A ProcessingRequest. */
  receive(bytes: Uint8Array): void;
  drained(): void;
  /** Envoy sends nothing more. */
  ended(): void;
  /** The call is over, by whomever: cancelled, finished, failed. */
  closed(): void;
}

/** What the service needs from its surroundings. */
export interface ExtProcOptions {
  /** Who decides about a stream; initial metadata by lower-case name. */
  readonly exchange: (initialMetadata: ReadonlyMap<string, string>) => Exchange;
  readonly observer: ExtProcObserver;
  /** Told of what should not have happened, and why bytes were no message. Must not throw. */
  readonly onError: (error: unknown) => void;
  /** Bytes of bodies of one stream that wait for their turn, above which it is paused. */
  readonly maxWaitingBytes?: number;
  /** Bytes of one body that are kept back until it is over, above which it is refused. */
  readonly maxHeldBytes?: number;
}

/** `envoy.service.ext_proc.v3.ExternalProcessor`, which knows nothing of the transport. */
export interface ExtProcService {
  open(call: ExtProcCall, initialMetadata: ReadonlyMap<string, string>): ExtProcStream;
  /** For a caller that may not ask: its first message is answered with 403, since its Envoy may let an error through. */
  refuse(call: ExtProcCall): ExtProcStream;
  /** How many streams are open: those that wait for Envoy are not ended, as it would go on without us. */
  streams(): number;
  /** Fails all that are open with UNAVAILABLE, so that Envoy's failure mode decides. */
  failAll(): void;
}

/** google.rpc.Code UNAVAILABLE. */
const unavailable = 14;

const untrustedCaller: Immediate = {
  kind: "immediate",
  httpStatus: 403,
  headers: [],
  body: new Uint8Array(0),
  grpcStatus: grpcCode.permissionDenied,
  details: "gatehouse_denied",
};

const internalError: Immediate = {
  kind: "immediate",
  httpStatus: 500,
  headers: [],
  body: new Uint8Array(0),
  grpcStatus: grpcCode.internal,
  details: "gatehouse_internal_error",
};

/** Makes the service. */
export function createExtProcService(options: ExtProcOptions): ExtProcService {
  const context: Context = {
    ...options,
    read: createMessageReader(),
    write: createAnswerWriter(),
    maxWaitingBytes: options.maxWaitingBytes ?? 256 * 1024,
    maxHeldBytes: options.maxHeldBytes ?? 16 * 1024 * 1024,
    open: new Set(),
  };
  return {
    open: (call, initialMetadata) => openStream(context, call, initialMetadata),
    refuse(call) {
      let isAnswered = false;
      return {
        receive() {
          if (!isAnswered) call.send(context.write(untrustedCaller));
          isAnswered = true;
        },
        drained: () => {},
        ended: () => call.end(),
        closed: () => {},
      };
    },
    streams: () => context.open.size,
    failAll() {
      for (const fail of [...context.open]) fail();
    },
  };
}

interface Context extends ExtProcOptions {
  readonly read: (bytes: Uint8Array) => ProcessingMessage;
  readonly write: (answer: Answer) => Uint8Array;
  readonly maxWaitingBytes: number;
  readonly maxHeldBytes: number;
  /** For each open stream what fails it. */
  readonly open: Set<() => void>;
}

function openStream(
  context: Context,
  call: ExtProcCall,
  initialMetadata: ReadonlyMap<string, string>,
): ExtProcStream {
  const { observer, onError, read, write, maxWaitingBytes, maxHeldBytes } = context;
  let exchange: Exchange | undefined;
  let session: Session | undefined;
  let isObserved = false;
  /** The call takes nothing any more. */
  let isDone = false;
  /** The last answer was given: an immediate one. Envoy ends the call then; OK from us could let the request through. */
  let isMute = false;
  let isClosed = false;
  let isHalfClosed = false;
  let isFull = false;
  let isPaused = false;

  const failByClosing = (): void => fail("closing", unavailable, "server is closing");

  function finish(): void {
    if (isClosed) return;
    isClosed = true;
    isDone = true;
    context.open.delete(failByClosing);
    session = undefined;
    try {
      exchange?.close();
    } catch (error) {
      onError(error);
    }
    observer.closed();
  }

  function fail(why: ExtProcFailure, code: number, details: string): void {
    if (isDone) return;
    isDone = true;
    observer.failed(why);
    try {
      call.fail(code, details);
    } catch (error) {
      onError(error);
    }
    finish();
  }

  /** Fail closed: the answer is a refusal, since Envoy may let a failed stream's request through. */
  function breakOff(why: ExtProcFailure, error: unknown): void {
    if (isDone || isMute) return;
    isMute = true;
    session = undefined;
    onError(error);
    observer.failed(why);
    if (!isObserved) send(internalError);
    if (isHalfClosed) end();
  }

  function end(): void {
    if (isDone) return;
    isDone = true;
    try {
      call.end();
    } catch (error) {
      onError(error);
    }
    finish();
  }

  function send(answer: Answer): void {
    if (isDone) return;
    try {
      isFull = !call.send(write(answer)) || isFull;
    } catch (error) {
      onError(error);
      fail("send_failed", grpcCode.internal, "internal error");
      return;
    }
    observer.answered(kindOf(answer), bytesOf(answer));
  }

  /** Sends what there is to send, and lets more come or not. */
  function flush(current: Session): void {
    for (const answer of current.take()) send(answer);
    if (isDone) return;
    isMute = current.isOver;
    if (isHalfClosed && current.isIdle) {
      end();
      return;
    }
    const shouldPause = isFull || current.waitingBytes > maxWaitingBytes;
    if (shouldPause === isPaused) return;
    isPaused = shouldPause;
    if (shouldPause) call.pause();
    else call.resume();
  }

  /** Does what the session asks for in this direction until it has to wait. */
  function run(current: Session, direction: Direction): void {
    for (;;) {
      const work = isDone ? undefined : current.work(direction);
      if (work === undefined || underWay[direction] === work) return;
      const result = begin(work);
      if (result instanceof Promise) {
        underWay[direction] = work;
        result.then(
          (value) => {
            underWay[direction] = undefined;
            go(() => tell(current, direction, work, value));
          },
          (error: unknown) => breakOff("internal_error", error),
        );
        return;
      }
      tell(current, direction, work, result);
    }
  }

  const underWay: Record<Direction, Work | undefined> = { request: undefined, response: undefined };

  type Result = HeadersOutcome | FlowStep | LastStep;

  function begin(work: Work): Result | Promise<Result> {
    if (work.kind === "push") return work.flow.push(work.chunk);
    if (work.kind === "end") return work.flow.end();
    const { headers, hasBody, beside } = work;
    return work.direction === "request"
      ? deciding().requestHeaders(headers, hasBody, beside)
      : deciding().responseHeaders(headers, hasBody, beside);
  }

  function tell(current: Session, direction: Direction, work: Work, result: Result): void {
    if (work.kind === "headers") current.headersDone(direction, result as HeadersOutcome);
    else if (work.kind === "push") current.pushDone(direction, result as FlowStep);
    else current.endDone(direction, result as LastStep);
  }

  /** One step, and all that follows from it. Never throws. */
  function go(step: (current: Session) => void): void {
    const current = session;
    if (isDone || current === undefined) return;
    try {
      step(current);
      run(current, "request");
      run(current, "response");
      flush(current);
    } catch (error) {
      breakOff("internal_error", error);
    }
  }

  /** Who decides, made when it is first asked. */
  function deciding(): Exchange {
    exchange ??= context.exchange(initialMetadata);
    return exchange;
  }

  function start({ protocolConfig, observabilityMode }: ProcessingMessage): Session {
    isObserved = observabilityMode;
    return createSession({
      config: protocolConfig,
      isObserved,
      verdicts: {
        refused: (...args) => deciding().refused(...args),
        violated: (...args) => deciding().violated(...args),
        metadata: (direction) => deciding().metadata(direction),
      },
      onViolation: (direction, what) => observer.violated(direction, what),
      maxHeldBytes,
    });
  }

  context.open.add(failByClosing);
  observer.opened();
  return {
    receive(bytes) {
      if (isDone || isMute) return;
      let message: ProcessingMessage;
      try {
        message = read(bytes);
      } catch (error) {
        breakOff("malformed", error);
        return;
      }
      observer.received(kindOf(message.part), bytesOf(message.part));
      session ??= start(message);
      go((current) => current.receive(message));
    },
    drained() {
      isFull = false;
      go(() => {});
    },
    ended() {
      isHalfClosed = true;
      if (session === undefined || isMute) end();
      else go((current) => current.finish());
    },
    closed: finish,
  };
}

function kindOf(part: Part): ExtProcKind;
function kindOf(answer: Answer): ExtProcKind | "immediate_response";
function kindOf(one: Part | Answer): ExtProcKind | "immediate_response" {
  return one.kind === "immediate" ? "immediate_response" : kinds[one.direction][one.kind];
}

const kinds = {
  request: { headers: "request_headers", body: "request_body", trailers: "request_trailers" },
  response: { headers: "response_headers", body: "response_body", trailers: "response_trailers" },
} as const;

function bytesOf(one: Part | Answer): number {
  if (one.kind === "immediate") return one.body.length;
  if (one.kind !== "body") return 0;
  if ("body" in one) return one.body.length;
  return one.change === undefined || one.change.kind === "clear" ? 0 : one.change.bytes.length;
}
