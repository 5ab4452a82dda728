import type { FlowStep, LastStep } from "../../body/index.js";
import { grpcCode } from "../../engine/index.js";
import {
  bytesOf,
  type ExtProcCall,
  type ExtProcFailure,
  type ExtProcOptions,
  type ExtProcStream,
  kindOf,
} from "./call.js";
import type { Exchange, HeadersOutcome, Immediate } from "./exchange.js";
import type { Answer, Direction, ProcessingMessage } from "./message.js";
import { endDone, finish, headersDone, isIdle, pushDone, receive, takeAnswers } from "./session.js";
import { createSession, type Session, sideOf } from "./session-state.js";
import type { Work } from "./side.js";

/** What all streams have in common. */
export interface StreamContext extends ExtProcOptions {
  readonly read: (bytes: Uint8Array) => ProcessingMessage;
  readonly write: (answer: Answer) => Uint8Array;
  readonly maxWaitingBytes: number;
  readonly maxHeldBytes: number;
  readonly open: Set<Stream>;
}

/** One call, its session and who decides about it. Changed by the functions of this file only. */
export interface Stream {
  readonly context: StreamContext;
  readonly call: ExtProcCall;
  readonly initialMetadata: ReadonlyMap<string, string>;
  exchange: Exchange | undefined;
  session: Session | undefined;
  isObserved: boolean;
  /** The call takes nothing any more. */
  isDone: boolean;
  /** The last answer was given: an immediate one. Envoy ends the call then; OK from us could let the request through. */
  isMute: boolean;
  isClosed: boolean;
  isHalfClosed: boolean;
  isFull: boolean;
  isPaused: boolean;
  /** What is being worked at. */
  readonly underWay: Record<Direction, Work | undefined>;
}

/** google.rpc.Code UNAVAILABLE. */
const unavailable = 14;

const internalError: Immediate = {
  kind: "immediate",
  httpStatus: 500,
  headers: [],
  body: new Uint8Array(0),
  grpcStatus: grpcCode.internal,
  details: "gatehouse_internal_error",
};

/** Begins to answer a call. */
export function openStream(
  context: StreamContext,
  call: ExtProcCall,
  initialMetadata: ReadonlyMap<string, string>,
): ExtProcStream {
  const stream: Stream = {
    context,
    call,
    initialMetadata,
    exchange: undefined,
    session: undefined,
    isObserved: false,
    isDone: false,
    isMute: false,
    isClosed: false,
    isHalfClosed: false,
    isFull: false,
    isPaused: false,
    underWay: { request: undefined, response: undefined },
  };
  context.open.add(stream);
  context.observer.opened();
  return {
    receive: (bytes) => take(stream, bytes),
    drained() {
      stream.isFull = false;
      go(stream, goOn);
    },
    ended() {
      stream.isHalfClosed = true;
      if (stream.session === undefined || stream.isMute) end(stream);
      else go(stream, finish);
    },
    closed: () => close(stream),
  };
}

/** Fails it with UNAVAILABLE, so that Envoy's failure mode decides. */
export function failByClosing(stream: Stream): void {
  fail(stream, "closing", unavailable, "server is closing");
}

function take(stream: Stream, bytes: Uint8Array): void {
  if (stream.isDone || stream.isMute) return;
  const { read, observer } = stream.context;
  let message: ProcessingMessage;
  try {
    message = read(bytes);
  } catch (error) {
    breakOff(stream, "malformed", error);
    return;
  }
  observer.received(kindOf(message.part), bytesOf(message.part));
  stream.session ??= start(stream, message);
  go(stream, (session) => receive(session, message));
}

function start(stream: Stream, { protocolConfig, observabilityMode }: ProcessingMessage): Session {
  const { observer, maxHeldBytes } = stream.context;
  stream.isObserved = observabilityMode;
  return createSession({
    config: protocolConfig,
    isObserved: observabilityMode,
    verdicts: {
      refused: (...args) => deciding(stream).refused(...args),
      violated: (...args) => deciding(stream).violated(...args),
      metadata: (direction) => deciding(stream).metadata(direction),
    },
    onViolation: (direction, what) => observer.violated(direction, what),
    maxHeldBytes,
  });
}

/** Who decides, made when it is first asked. */
function deciding(stream: Stream): Exchange {
  stream.exchange ??= stream.context.exchange(stream.initialMetadata, stream.isObserved);
  return stream.exchange;
}

/** One step, and all that follows from it. Never throws. */
function go(stream: Stream, step: (session: Session) => void): void {
  const { session } = stream;
  if (stream.isDone || session === undefined) return;
  try {
    step(session);
    run(stream, session, "request");
    run(stream, session, "response");
    flush(stream, session);
  } catch (error) {
    breakOff(stream, "internal_error", error);
  }
}

function goOn(): void {}

/** Does what the session asks for in this direction until it has to wait. */
function run(stream: Stream, session: Session, direction: Direction): void {
  const { underWay } = stream;
  const side = sideOf(session, direction);
  for (;;) {
    const { work } = side;
    if (stream.isDone || work === undefined || underWay[direction] === work) return;
    const result = begin(stream, work);
    if (result instanceof Promise) {
      underWay[direction] = work;
      result.then(
        (value) => {
          underWay[direction] = undefined;
          go(stream, () => tell(session, direction, work, value));
        },
        (error: unknown) => breakOff(stream, "internal_error", error),
      );
      return;
    }
    tell(session, direction, work, result);
  }
}

type Result = HeadersOutcome | FlowStep | LastStep;

function begin(stream: Stream, work: Work): Result | Promise<Result> {
  if (work.kind === "push") return work.flow.push(work.chunk);
  if (work.kind === "end") return work.flow.end();
  const { headers, hasBody, beside } = work;
  return work.direction === "request"
    ? deciding(stream).requestHeaders(headers, hasBody, beside)
    : deciding(stream).responseHeaders(headers, hasBody, beside);
}

function tell(session: Session, direction: Direction, work: Work, result: Result): void {
  if (work.kind === "headers") headersDone(session, direction, result as HeadersOutcome);
  else if (work.kind === "push") pushDone(session, direction, result as FlowStep);
  else endDone(session, direction, result as LastStep);
}

/** Sends what there is to send, and lets more come or not. */
function flush(stream: Stream, session: Session): void {
  for (const answer of takeAnswers(session)) send(stream, answer);
  if (stream.isDone) return;
  stream.isMute = session.isOver;
  if (stream.isHalfClosed && isIdle(session)) {
    end(stream);
    return;
  }
  hear(stream, !stream.isFull && session.waitingBytes <= stream.context.maxWaitingBytes);
}

/** Lets more come or not. A call that is paused does not hear either that Envoy sends nothing more. */
function hear(stream: Stream, more: boolean): void {
  if (stream.isDone || stream.isPaused !== more) return;
  stream.isPaused = !more;
  if (more) stream.call.resume();
  else stream.call.pause();
}

function send(stream: Stream, answer: Answer): void {
  if (stream.isDone) return;
  const { write, onError, observer } = stream.context;
  try {
    stream.isFull = !stream.call.send(write(answer)) || stream.isFull;
  } catch (error) {
    onError(error);
    fail(stream, "send_failed", grpcCode.internal, "internal error");
    return;
  }
  observer.answered(kindOf(answer), bytesOf(answer));
}

/** Fail closed: the answer is a refusal, since Envoy may let a failed stream's request through. */
function breakOff(stream: Stream, why: ExtProcFailure, error: unknown): void {
  if (stream.isDone || stream.isMute) return;
  const { onError, observer } = stream.context;
  stream.isMute = true;
  stream.session = undefined;
  onError(error);
  observer.failed(why);
  if (!stream.isObserved) send(stream, internalError);
  if (stream.isHalfClosed) end(stream);
  else hear(stream, true);
}

function end(stream: Stream): void {
  if (stream.isDone) return;
  stream.isDone = true;
  try {
    stream.call.end();
  } catch (error) {
    stream.context.onError(error);
  }
  close(stream);
}

function fail(stream: Stream, why: ExtProcFailure, code: number, details: string): void {
  if (stream.isDone) return;
  stream.isDone = true;
  const { observer, onError } = stream.context;
  observer.failed(why);
  try {
    stream.call.fail(code, details);
  } catch (error) {
    onError(error);
  }
  close(stream);
}

function close(stream: Stream): void {
  if (stream.isClosed) return;
  stream.isClosed = true;
  stream.isDone = true;
  const { open, observer, onError } = stream.context;
  open.delete(stream);
  stream.session = undefined;
  try {
    stream.exchange?.close();
  } catch (error) {
    onError(error);
  }
  observer.closed();
}
