import type { BodyRefusal, FlowStep, HeaderEdits, LastStep } from "../../body/index.js";
import { grpcCode } from "../../engine/index.js";
import { type AnswerPort, answerBody, answerTrailers, passBody } from "./answers.js";
import type { BesideRequest, Exchange, HeadersOutcome, Immediate } from "./exchange.js";
import { toFrame } from "./grpc-frames.js";
import { type RequestHead, requestHead, responseHead } from "./heads.js";
import type { Answer, BodyMode, Direction, ModeOverride, Part, ProtocolConfig } from "./message.js";
import { isBuffered, isStreaming, modeFor, serves, takesOverride } from "./modes.js";
import { join, removesLength } from "./mutations.js";
import { replacementFlow } from "./replacement.js";
import {
  createSide,
  effectiveMode,
  type HeadersAnswer,
  type Incoming,
  release,
  type Side,
  type Work,
} from "./side.js";

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
 * an immediate answer everything is ignored.
 */
export interface Session {
  receive(message: Incoming): void;
  /** Envoy sends nothing more. */
  finish(): void;
  /** What is to be done for this direction now; the same until it is done. */
  work(direction: Direction): Work | undefined;
  headersDone(direction: Direction, outcome: HeadersOutcome): void;
  pushDone(direction: Direction, step: FlowStep): void;
  endDone(direction: Direction, step: LastStep): void;
  /** Answers since it was asked last, in order. */
  take(): readonly Answer[];
  /** Ends it with this answer, if there may still be one. */
  abort(answer: Immediate): void;
  /** An immediate answer was given, or would have been, were it not only observed. */
  readonly isOver: boolean;
  /** Nothing is being done, and nothing waits. */
  readonly isIdle: boolean;
  /** Bytes of bodies that wait. */
  readonly waitingBytes: number;
}

type HeadersPart = Extract<Part, { kind: "headers" }>;
type BodyPart = Extract<Part, { kind: "body" }>;
type TrailersPart = Extract<Part, { kind: "trailers" }>;

/** Answers that Envoy itself gives while it waits for a request's body: timeouts, and longer than its buffer. */
const ownStatuses: ReadonlySet<number> = new Set([408, 413, 504]);

const noConfig: ProtocolConfig = {
  requestBodyMode: "NONE",
  responseBodyMode: "NONE",
  sendsBodyEarly: false,
};

const noEdits: HeaderEdits = { remove: [], set: [] };
const noLength: HeaderEdits = { remove: ["content-length"], set: [] };
const noAnswers: readonly Answer[] = [];

/** A session before its first part. */
export function createSession(options: SessionOptions): Session {
  const { config = noConfig, isObserved, verdicts, onViolation, maxHeldBytes } = options;
  const request = createSide("request", config.requestBodyMode);
  const response = createSide("response", config.responseBodyMode);
  const canOverride = !isObserved && takesOverride(config);
  let answers: Answer[] = [];
  let isOver = false;
  let waitingBytes = 0;
  let asked: RequestHead | undefined;
  let needsResponse = true;

  const port: AnswerPort = {
    emit,
    tooLarge,
    cannotSend: ({ direction }) => {
      if (!isObserved) violate(direction, "out_of_order");
    },
    metadata: (direction) => verdicts.metadata(direction),
    maxHeldBytes,
  };

  function sideOf(direction: Direction): Side {
    return direction === "request" ? request : response;
  }

  function emit(answer: Answer): void {
    if (!isObserved) answers.push(answer);
  }

  function refuse(answer: Immediate): void {
    if (isOver) return;
    emit(answer);
    isOver = true;
    waitingBytes = 0;
    for (const side of [request, response]) {
      side.queue.length = 0;
      side.work = undefined;
      side.item = undefined;
      side.flow = undefined;
      side.held = undefined;
      side.released = [];
    }
  }

  function violate(direction: Direction, what: Violation): void {
    onViolation(direction, what);
    refuse(verdicts.violated(direction, what));
  }

  function tooLarge({ direction }: Side): void {
    refuse(verdicts.refused(direction, direction === "request" ? requestTooLarge : responseTooLarge));
  }

  /** Goes on with a direction until there is work, or nothing waits. */
  function advance(side: Side): void {
    while (!isOver && side.work === undefined) {
      const next = side.queue[0];
      if (next === undefined) return;
      if (side === response && side.stage === "waiting" && request.stage === "deciding") return;
      side.queue.shift();
      if (next === "end") takeEnd(side);
      else if (next.part.kind === "headers") takeHeaders(side, next.part, next);
      else if (next.part.kind === "body") takeBody(side, next.part);
      else takeTrailers(side, next.part);
    }
  }

  function takeHeaders(side: Side, part: HeadersPart, beside: BesideRequest): void {
    const { direction, headers, endOfStream } = part;
    if (side.stage !== "waiting" || (side === request && response.stage !== "waiting")) {
      violate(direction, "out_of_order");
      return;
    }
    if (side === request) {
      asked = requestHead(headers, endOfStream);
      side.hasBody = asked.hasBody;
      side.isGrpc = asked.isGrpc;
      side.passesBytes = asked.isTunnel;
      side.hasContentLength = asked.hasContentLength;
    } else {
      const head = responseHead(headers, endOfStream, asked);
      if (isBodyMissing(head.status, head.isGrpcFailure)) {
        violate("request", "body_not_sent");
        return;
      }
      side.hasBody = head.hasBody;
      side.isGrpc = head.isGrpc;
      side.passesBytes = head.isTunnel;
      side.hasContentLength = head.hasContentLength;
    }
    side.isFinal = endOfStream;
    side.stage = "deciding";
    side.work = { kind: "headers", direction, headers, hasBody: side.hasBody, beside };
  }

  /** Of a body that a policy has to see nothing came so far, and it comes only if Envoy heeds overrides. */
  function isDoubtful({ flow, isSeen, mode, configured }: Side): boolean {
    return !isObserved && flow !== undefined && !isSeen && mode !== configured;
  }

  /** The response is there without it. A request that is seen as it comes may be refused before its body. */
  function isBodyMissing(status: number, isGrpcFailure: boolean): boolean {
    if (!isDoubtful(request) || ownStatuses.has(status) || isGrpcFailure) return false;
    return isBuffered(request.mode) || status < 400;
  }

  function openBody(side: Side, outcome: HeadersOutcome): void {
    const { direction, isFinal } = side;
    side.stage = isFinal ? "ended" : "open";
    if (side === request) needsResponse = outcome.response.head || outcome.response.body !== "none";
    let { replaceBody, mutation } = outcome;
    let flow = side.hasBody && replaceBody === undefined ? outcome.flow : undefined;
    if (replaceBody !== undefined && isUnderWay(side)) {
      flow = replacementFlow(replaceBody);
      replaceBody = undefined;
    }
    if (flow !== undefined && side === request && asked?.hidesBody === true) {
      violate(direction, "body_not_sent");
      return;
    }
    side.flow = flow;
    const before = side.mode;
    if (side === request) askEarly(outcome);
    if (side.isEarly) {
      // As it is.
    } else if (flow === undefined) {
      if (canOverride && !isFinal) side.mode = "NONE";
    } else if (canOverride && side.configured !== "GRPC") side.mode = modeFor(flow.need, side.configured);
    else if (!isObserved && !serves(side.mode, flow.need)) {
      violate(direction, "body_not_sent");
      return;
    }
    const modeOverride = canOverride ? overrideFor(side, before) : undefined;
    if (flow !== undefined && isBuffered(side.mode)) side.edits = flow.headEdits;
    else mutation = join(mutation, flow?.headEdits);
    // By an override Envoy leaves it, with a body of any length: what follows would be the next message.
    if (flow !== undefined && side.mode !== "BUFFERED" && side.hasContentLength) {
      mutation = join(mutation, noLength);
    }
    if (removesLength(mutation)) side.hasContentLength = false;
    const answer: HeadersAnswer = {
      kind: "headers",
      direction,
      mutation,
      replaceBody,
      clearRouteCache: outcome.clearRouteCache ?? false,
      metadata: outcome.metadata,
      modeOverride,
    };
    if (replaceBody !== undefined) side.stage = "closed";
    side.holdsAll = flow?.need === "whole" && isStreaming(side.mode);
    // INVARIANT: where bodies come by an override, nothing goes on before something of the body came: Envoy does not say
    // whether it heeds overrides, and one that does not would let the body pass unseen.
    const waits = side.holdsAll || (flow !== undefined && side.isEarly);
    if (waits && !isObserved) side.held = answer;
    else emit(answer);
  }

  /**
   * The body of a response is asked for before there is one: the answer to its headers could ask for it, too, but would let
   * them go.
   */
  function askEarly({ response: needs }: HeadersOutcome): void {
    if (!canOverride || response.configured !== "NONE" || needs.body === "none") return;
    response.mode = "FULL_DUPLEX_STREAMED";
    response.isEarly = true;
    response.asksTrailers = true;
  }

  /** Pieces of body come whatever the headers' answer says. */
  function isUnderWay({ isFinal, mode }: Side): boolean {
    return !isFinal && (mode === "FULL_DUPLEX_STREAMED" || (config.sendsBodyEarly && mode !== "NONE"));
  }

  /** Undefined where what is configured will do. An override takes the place of all modes, so it says them all. */
  function overrideFor(side: Side, before: BodyMode): ModeOverride | undefined {
    if (side.isEarly) return undefined;
    const responseBefore = response.mode;
    const skipsResponse = side === request && !needsResponse;
    if (skipsResponse) response.mode = "NONE";
    side.asksTrailers = side.flow !== undefined;
    const isAsConfigured = side.mode === before && response.mode === responseBefore && !response.isEarly;
    if (isAsConfigured && !side.asksTrailers && !skipsResponse) return undefined;
    return {
      requestBodyMode: request.mode,
      responseBodyMode: response.mode,
      responseHeaders: skipsResponse ? "SKIP" : "SEND",
      requestTrailers: request.asksTrailers ? "SEND" : "SKIP",
      responseTrailers: response.asksTrailers ? "SEND" : "SKIP",
    };
  }

  /** Whether this may come now: in front of its headers only of a response that nobody wants to see. */
  function mayCome(side: Side): boolean {
    if (side.stage !== "waiting") return true;
    if (side === request || request.stage === "waiting" || needsResponse) return false;
    side.stage = "open";
    side.passesBytes = true;
    return true;
  }

  function takeBody(side: Side, part: BodyPart): void {
    const { direction, body, endOfStream } = part;
    waitingBytes -= body.length;
    if (!mayCome(side)) {
      violate(direction, "out_of_order");
      return;
    }
    if (side.stage === "closed" || side.stage === "ended") {
      // Envoy may say twice that a body is over (envoy#46237).
      if (body.length > 0) violate(direction, "out_of_order");
      else if (!isStreaming(effectiveMode(side))) emit({ kind: "body", direction, change: undefined });
      return;
    }
    if (side.flow !== undefined) {
      pushBody(side, part);
      return;
    }
    if (!side.hasBody && !side.passesBytes && body.length > 0) {
      violate(direction, "out_of_order");
      return;
    }
    passBody(port, side, part);
    if (endOfStream) {
      side.stage = "ended";
      side.isFinal = true;
    }
  }

  function pushBody(side: Side, part: BodyPart): void {
    const { flow, configured } = side;
    if (flow === undefined) return;
    const mode = effectiveMode(side);
    // The rest of it would pass unseen. In BUFFERED it is the whole body of a message with trailers.
    const mayBeCut = configured !== "NONE" && configured !== "BUFFERED";
    if (isBuffered(mode) && !part.endOfStream && mayBeCut) {
      tooLarge(side);
      return;
    }
    side.item = part;
    const { body: bytes, compressed } = part;
    const chunk = mode === "GRPC" && !part.withoutMessage ? toFrame({ bytes, compressed }) : bytes;
    if (chunk.length > 0) side.work = { kind: "push", flow, chunk };
    else pushed(side);
  }

  /** The chunk is with the flow. */
  function pushed(side: Side): void {
    const { flow, item } = side;
    if (flow === undefined || item === undefined || item === "end" || item.kind !== "body") return;
    if (item.endOfStream || isBuffered(effectiveMode(side))) side.work = { kind: "end", flow };
    else settle(side, noEdits, false);
  }

  /** Answers the part that was worked at. */
  function settle(side: Side, edits: HeaderEdits, isLast: boolean): void {
    const { item } = side;
    side.item = undefined;
    if (isLast) side.flow = undefined;
    if (item === undefined) return;
    if (item === "end") {
      side.stage = "closed";
      // What was kept back can go nowhere.
      if (side.held !== undefined || side.releasedBytes > 0) port.cannotSend(side);
    } else if (item.kind === "body") {
      if (isLast) side.stage = "ended";
      if (item.endOfStream) side.isFinal = true;
      answerBody(port, side, item, { edits, isLast });
    } else if (item.kind === "trailers") {
      side.stage = "closed";
      answerTrailers(port, side, edits);
    }
  }

  function takeTrailers(side: Side, part: TrailersPart): void {
    const { direction } = part;
    if (!mayCome(side) || side.stage === "closed" || side.isFinal) {
      violate(direction, "out_of_order");
    } else if (side.flow === undefined) {
      side.stage = "closed";
      emit({ kind: "trailers", direction, mutation: undefined });
    } else if (side === request && isDoubtful(side)) {
      // Trailers after an empty body, which hardly any client sends; of responses it is common (gRPC).
      violate(direction, "body_not_sent");
    } else {
      side.item = part;
      side.work = { kind: "end", flow: side.flow };
    }
  }

  function takeEnd(side: Side): void {
    if (side.flow === undefined) return;
    if (isDoubtful(side)) {
      violate(side.direction, "body_not_sent");
      return;
    }
    side.item = "end";
    side.work = { kind: "end", flow: side.flow };
  }

  return {
    receive(message) {
      if (isOver) return;
      const { part } = message;
      const side = sideOf(part.direction);
      if (part.kind === "body") {
        side.isSeen = true;
        waitingBytes += part.body.length;
      }
      side.queue.push(message);
      advance(side);
    },
    finish() {
      for (const side of [request, response]) {
        if (isOver) return;
        side.queue.push("end");
        advance(side);
      }
    },
    work: (direction) => sideOf(direction).work,
    headersDone(direction, outcome) {
      const side = sideOf(direction);
      if (side.work?.kind !== "headers") return;
      side.work = undefined;
      if (outcome.immediate !== undefined) refuse(outcome.immediate);
      else openBody(side, outcome);
      if (side === request) advance(request);
      advance(response);
    },
    pushDone(direction, step) {
      const side = sideOf(direction);
      if (side.work?.kind !== "push") return;
      side.work = undefined;
      if (step.kind === "refuse") refuse(verdicts.refused(direction, step.refusal));
      else {
        release(side, step.bytes);
        pushed(side);
      }
      advance(side);
    },
    endDone(direction, step) {
      const side = sideOf(direction);
      if (side.work?.kind !== "end") return;
      side.work = undefined;
      if (step.kind === "refuse") refuse(verdicts.refused(direction, step.refusal));
      else {
        release(side, step.bytes);
        settle(side, step.edits, true);
      }
      advance(side);
    },
    take() {
      if (answers.length === 0) return noAnswers;
      const taken = answers;
      answers = [];
      return taken;
    },
    abort: refuse,
    get isOver() {
      return isOver;
    },
    get isIdle() {
      if (isOver) return true;
      return [request, response].every(({ work, queue }) => work === undefined && queue.length === 0);
    },
    get waitingBytes() {
      return waitingBytes;
    },
  };
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
