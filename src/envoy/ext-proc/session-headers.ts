import type { HeaderEdits } from "../../body/index.js";
import type { BesideRequest, HeadersOutcome } from "./exchange.js";
import { type RequestHead, requestHead, responseHead } from "./heads.js";
import type { BodyMode, ModeOverride, Part } from "./message.js";
import { isBuffered, isStreaming, modeFor, serves } from "./modes.js";
import { join, removesLength } from "./mutations.js";
import { replacementFlow } from "./replacement.js";
import { emit, type Session, violate } from "./session-state.js";
import type { HeadersAnswer, Side } from "./side.js";

type HeadersPart = Extract<Part, { kind: "headers" }>;

/** Answers that Envoy itself gives while it waits for a request's body: timeouts, and longer than its buffer. */
const ownStatuses: ReadonlySet<number> = new Set([408, 413, 504]);

const noLength: HeaderEdits = { remove: ["content-length"], set: [] };

/** Takes headers, and asks what is to be done with them. */
export function takeHeaders(session: Session, side: Side, part: HeadersPart, beside: BesideRequest): void {
  const { request, response } = session;
  const { direction, headers, endOfStream } = part;
  if (side.stage !== "waiting" || (side === request && response.stage !== "waiting")) {
    violate(session, direction, "out_of_order");
    return;
  }
  if (side === request) {
    session.asked = requestHead(headers, endOfStream);
    adopt(side, session.asked);
  } else {
    const head = responseHead(headers, endOfStream, session.asked);
    if (isBodyMissing(session, head.status, head.isGrpcFailure)) {
      violate(session, "request", "body_not_sent");
      return;
    }
    adopt(side, head);
  }
  side.isFinal = endOfStream;
  side.stage = "deciding";
  side.work = { kind: "headers", direction, headers, hasBody: side.hasBody, beside };
}

type Head = Pick<RequestHead, "hasBody" | "isTunnel" | "hasContentLength">;

function adopt(side: Side, { hasBody, isTunnel, hasContentLength }: Head): void {
  side.hasBody = hasBody;
  side.passesBytes = isTunnel;
  side.hasContentLength = hasContentLength;
}

/** Of a body that a policy has to see nothing came so far, and it comes only if Envoy heeds overrides. */
export function isDoubtful(session: Session, { flow, isSeen, mode, configured }: Side): boolean {
  return !session.options.isObserved && flow !== undefined && !isSeen && mode !== configured;
}

/** The response is there without it. A request that is seen as it comes may be refused before its body. */
function isBodyMissing(session: Session, status: number, isGrpcFailure: boolean): boolean {
  if (!isDoubtful(session, session.request) || ownStatuses.has(status) || isGrpcFailure) return false;
  return isBuffered(session.request.mode) || status < 400;
}

/** Answers headers, or keeps the answer back, and makes ready for what follows them. */
export function openBody(session: Session, side: Side, outcome: HeadersOutcome): void {
  const { direction, isFinal } = side;
  const isRequest = side === session.request;
  side.stage = isFinal ? "ended" : "open";
  if (isRequest) session.needsResponse = outcome.response.head || outcome.response.body !== "none";
  let { replaceBody, mutation } = outcome;
  let flow = side.hasBody && replaceBody === undefined ? outcome.flow : undefined;
  if (replaceBody !== undefined && isUnderWay(session, side)) {
    flow = replacementFlow(replaceBody);
    replaceBody = undefined;
  }
  const before = side.mode;
  const isHidden = flow !== undefined && isRequest && session.asked?.hidesBody === true;
  if (!isHidden) {
    side.flow = flow;
    if (isRequest) askEarly(session, outcome);
  }
  if (isHidden || !chooseMode(session, side)) {
    violate(session, direction, "body_not_sent");
    return;
  }
  const modeOverride = session.canOverride ? overrideFor(session, side, before) : undefined;
  if (flow !== undefined && isBuffered(side.mode)) side.edits = flow.headEdits;
  else mutation = join(mutation, flow?.headEdits);
  // By an override Envoy leaves it, with a body of any length: what follows would be the next message.
  if (flow !== undefined && side.mode !== "BUFFERED" && side.hasContentLength) {
    mutation = join(mutation, noLength);
  }
  if (removesLength(mutation)) side.hasContentLength = false;
  if (replaceBody !== undefined) side.stage = "closed";
  const { metadata, clearRouteCache = false } = outcome;
  reply(session, side, {
    kind: "headers",
    direction,
    mutation,
    replaceBody,
    clearRouteCache,
    metadata,
    modeOverride,
  });
}

function reply(session: Session, side: Side, answer: HeadersAnswer): void {
  const { flow, isEarly, mode } = side;
  side.holdsAll = flow?.need === "whole" && isStreaming(mode);
  // INVARIANT: where bodies come by an override, nothing goes on before something of the body came: Envoy does not say
  // whether it heeds overrides, and one that does not would let the body pass unseen.
  const waits = side.holdsAll || (flow !== undefined && isEarly);
  if (waits && !session.options.isObserved) side.held = answer;
  else emit(session, answer);
}

/** False: the body comes in no way that its flow can do with. */
function chooseMode({ canOverride, options }: Session, side: Side): boolean {
  const { flow, configured } = side;
  if (side.isEarly) return true;
  if (flow === undefined) {
    if (canOverride && !side.isFinal) side.mode = "NONE";
    return true;
  }
  if (canOverride && configured !== "GRPC") {
    side.mode = modeFor(flow.need, configured);
    return true;
  }
  return options.isObserved || serves(side.mode, flow.need);
}

/**
 * The body of a response is asked for before there is one: the answer to its headers could ask for it, too, but would let them
 * go.
 */
function askEarly({ canOverride, response }: Session, { response: needs }: HeadersOutcome): void {
  if (!canOverride || response.configured !== "NONE" || needs.body === "none") return;
  response.mode = "FULL_DUPLEX_STREAMED";
  response.isEarly = true;
  response.asksTrailers = true;
}

/** Pieces of body come whatever the headers' answer says. */
function isUnderWay(session: Session, { isFinal, mode }: Side): boolean {
  return !isFinal && (mode === "FULL_DUPLEX_STREAMED" || (session.config.sendsBodyEarly && mode !== "NONE"));
}

/** Undefined where what is configured will do. An override takes the place of all modes, so it says them all. */
function overrideFor(session: Session, side: Side, before: BodyMode): ModeOverride | undefined {
  if (side.isEarly) return undefined;
  const { request, response } = session;
  const responseBefore = response.mode;
  const skipsResponse = side === request && !session.needsResponse;
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
