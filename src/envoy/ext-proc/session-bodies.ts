import type { HeaderEdits } from "../../body/index.js";
import { answerBody, answerTrailers, passBody } from "./answers.js";
import { toFrame } from "./grpc-frames.js";
import type { Part } from "./message.js";
import { isBuffered, isStreaming } from "./modes.js";
import { isDoubtful } from "./session-headers.js";
import { emit, type Session, tooLarge, violate } from "./session-state.js";
import { effectiveMode, type Side } from "./side.js";

type BodyPart = Extract<Part, { kind: "body" }>;
type TrailersPart = Extract<Part, { kind: "trailers" }>;

const noEdits: HeaderEdits = { remove: [], set: [] };

/** Whether this may come now: in front of its headers only of a response that nobody wants to see. */
function mayCome(session: Session, side: Side): boolean {
  if (side.stage !== "waiting") return true;
  if (side === session.request || session.request.stage === "waiting" || session.needsResponse) return false;
  side.stage = "open";
  side.passesBytes = true;
  return true;
}

/** Takes a piece of body. */
export function takeBody(session: Session, side: Side, part: BodyPart): void {
  const { direction, body, endOfStream } = part;
  session.waitingBytes -= body.length;
  if (!mayCome(session, side)) {
    violate(session, direction, "out_of_order");
    return;
  }
  if (side.stage === "closed" || side.stage === "ended") {
    // Envoy may say twice that a body is over (envoy#46237).
    if (body.length > 0) violate(session, direction, "out_of_order");
    else if (!isStreaming(effectiveMode(side))) emit(session, { kind: "body", direction, change: undefined });
    return;
  }
  if (side.flow !== undefined) {
    pushBody(session, side, part);
    return;
  }
  if (!side.hasBody && !side.passesBytes && body.length > 0) {
    violate(session, direction, "out_of_order");
    return;
  }
  passBody(session, side, part);
  if (endOfStream) {
    side.stage = "ended";
    side.isFinal = true;
  }
}

function pushBody(session: Session, side: Side, part: BodyPart): void {
  const { flow, configured } = side;
  if (flow === undefined) return;
  const mode = effectiveMode(side);
  // The rest of it would pass unseen. In BUFFERED it is the whole body of a message with trailers.
  const mayBeCut = configured !== "NONE" && configured !== "BUFFERED";
  if (isBuffered(mode) && !part.endOfStream && mayBeCut) {
    tooLarge(session, side);
    return;
  }
  side.item = part;
  const { body: bytes, compressed } = part;
  const chunk = mode === "GRPC" && !part.withoutMessage ? toFrame({ bytes, compressed }) : bytes;
  if (chunk.length > 0) side.work = { kind: "push", flow, chunk };
  else pushed(session, side);
}

/** The chunk is with the flow. */
export function pushed(session: Session, side: Side): void {
  const { flow, item } = side;
  if (flow === undefined || item === undefined || item.kind !== "body") return;
  if (item.endOfStream || isBuffered(effectiveMode(side))) side.work = { kind: "end", flow };
  else settle(session, side, noEdits, false);
}

/** Answers the part that was worked at. */
export function settle(session: Session, side: Side, edits: HeaderEdits, isLast: boolean): void {
  const { item, flow } = side;
  side.item = undefined;
  if (isLast) side.flow = undefined;
  if (item === undefined) return;
  if (item.kind === "body") {
    if (isLast) side.stage = "ended";
    if (item.endOfStream) side.isFinal = true;
    answerBody(session, side, item, { edits, isLast });
  } else if (item.kind === "trailers") {
    side.stage = "closed";
    answerTrailers(session, side, item, { edits, untrue: flow?.untrueTrailers ?? [] });
  }
}

/** Takes trailers. */
export function takeTrailers(session: Session, side: Side, part: TrailersPart): void {
  const { direction } = part;
  if (!mayCome(session, side) || side.stage === "closed" || side.isFinal) {
    violate(session, direction, "out_of_order");
  } else if (side.flow === undefined) {
    side.stage = "closed";
    emit(session, { kind: "trailers", direction, mutation: undefined });
  } else if (side === session.request && isDoubtful(session, side)) {
    // Trailers after an empty body, which hardly any client sends; of responses it is common (gRPC).
    violate(session, direction, "body_not_sent");
  } else {
    side.item = part;
    side.work = { kind: "end", flow: side.flow };
  }
}

/**
 * Envoy sends no more: the exchange is over, or its client has gone, and no answer can act any more. What was kept back
 * goes nowhere, and nobody refused it.
 */
export function takeEnd(side: Side): void {
  side.flow = undefined;
  side.held = undefined;
  side.released = [];
  side.releasedBytes = 0;
}
