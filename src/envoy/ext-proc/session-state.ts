import type { BodyRefusal } from "../../body/index.js";
import { grpcCode } from "../../engine/index.js";
import type { Exchange, Immediate } from "./exchange.js";
import type { RequestHead } from "./heads.js";
import type { Answer, Direction, ProtocolConfig } from "./message.js";
import { takesOverride } from "./modes.js";
import { createSide, type Side } from "./side.js";

/** What a session is made of. */
export interface SessionOptions {
  /** Of the first message; undefined: bodies are not configured. */
  readonly config: ProtocolConfig | undefined;
  /** Nothing is answered. */
  readonly isObserved: boolean;
  /** Says what refusals look like; asked without waiting. */
  readonly verdicts: Pick<Exchange, "refused" | "violated" | "metadata">;
  /** Told of each `violated`. */
  readonly onViolation: (direction: Direction, what: Violation) => void;
  /** Bytes that are kept back while a body has to be seen whole, before it is refused. */
  readonly maxHeldBytes: number;
}

/** What Envoy did not do as it should have. */
export type Violation = Parameters<Exchange["violated"]>[1];

/**
 * One stream as a state machine: takes parts and what came of its work, gives answers and the next work. The directions
 * go on beside each other, each in its order, but a response waits for what was decided on its request's headers. After
 * an immediate answer everything is ignored. Its state is changed by the functions beside it only: there is one for each
 * stream, and one object is cheaper than thirty functions that share what they know.
 */
export interface Session {
  readonly options: SessionOptions;
  readonly config: ProtocolConfig;
  readonly canOverride: boolean;
  readonly request: Side;
  readonly response: Side;
  /** Since they were taken last, in order. */
  answers: Answer[];
  /** An immediate answer was given, or would have been, were it not only observed. */
  isOver: boolean;
  /** Bytes of bodies that wait. */
  waitingBytes: number;
  asked: RequestHead | undefined;
  needsResponse: boolean;
}

const noConfig: ProtocolConfig = {
  requestBodyMode: "NONE",
  responseBodyMode: "NONE",
  sendsBodyEarly: false,
};

/** A session before its first part. */
export function createSession(options: SessionOptions): Session {
  const config = options.config ?? noConfig;
  return {
    options,
    config,
    canOverride: !options.isObserved && takesOverride(config),
    request: createSide("request", config.requestBodyMode),
    response: createSide("response", config.responseBodyMode),
    answers: [],
    isOver: false,
    waitingBytes: 0,
    asked: undefined,
    needsResponse: true,
  };
}

/** One of the two directions. */
export function sideOf(session: Session, direction: Direction): Side {
  return direction === "request" ? session.request : session.response;
}

/** Gives an answer, unless the stream is only observed. */
export function emit(session: Session, answer: Answer): void {
  if (!session.options.isObserved) session.answers.push(answer);
}

/** Ends it with this answer, if there may still be one. */
export function abort(session: Session, answer: Immediate): void {
  if (session.isOver) return;
  emit(session, answer);
  session.isOver = true;
  session.waitingBytes = 0;
  forget(session.request);
  forget(session.response);
}

function forget(side: Side): void {
  side.queue.length = 0;
  side.work = undefined;
  side.item = undefined;
  side.flow = undefined;
  side.held = undefined;
  side.released = [];
}

/** Ends it, since Envoy did not do as it should have. */
export function violate(session: Session, direction: Direction, what: Violation): void {
  const { onViolation, verdicts } = session.options;
  onViolation(direction, what);
  abort(session, verdicts.violated(direction, what));
}

/** Ends it by a rule over bodies. */
export function refuse(session: Session, direction: Direction, refusal: BodyRefusal): void {
  abort(session, session.options.verdicts.refused(direction, refusal));
}

/** Ends it: more would have to be kept back than may be. */
export function tooLarge(session: Session, { direction }: Side): void {
  refuse(session, direction, direction === "request" ? requestTooLarge : responseTooLarge);
}

/** Ends it: what a flow gave cannot be sent any more. */
export function cannotSend(session: Session, { direction }: Side): void {
  if (!session.options.isObserved) violate(session, direction, "out_of_order");
}

function tooLargeAs(httpStatus: number): BodyRefusal {
  return {
    httpStatus,
    code: grpcCode.resourceExhausted,
    reason: "body_too_large",
    policy: "",
    body: "",
    contentType: "text/plain",
  };
}

const requestTooLarge = tooLargeAs(413);
const responseTooLarge = tooLargeAs(502);
