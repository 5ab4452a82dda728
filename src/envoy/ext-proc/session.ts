import type { FlowStep, LastStep } from "../../body/index.js";
import type { HeadersOutcome } from "./exchange.js";
import type { Answer, Direction } from "./message.js";
import { pushed, settle, takeBody, takeEnd, takeTrailers } from "./session-bodies.js";
import { openBody, takeHeaders } from "./session-headers.js";
import { abort, refuse, type Session, sideOf } from "./session-state.js";
import { type Incoming, release, type Side } from "./side.js";

const noAnswers: readonly Answer[] = [];

/** Takes what Envoy sends. */
export function receive(session: Session, message: Incoming): void {
  if (session.isOver) return;
  const { part } = message;
  const side = sideOf(session, part.direction);
  if (part.kind === "body") {
    side.isSeen = true;
    session.waitingBytes += part.body.length;
  }
  side.queue.push(message);
  advance(session, side);
}

/** Envoy sends nothing more. */
export function finish(session: Session): void {
  for (const side of [session.request, session.response]) {
    if (session.isOver) return;
    side.queue.push("end");
    advance(session, side);
  }
}

/** The work at headers is done. */
export function headersDone(session: Session, direction: Direction, outcome: HeadersOutcome): void {
  const { request, response } = session;
  const side = sideOf(session, direction);
  if (side.work?.kind !== "headers") return;
  side.work = undefined;
  if (outcome.immediate !== undefined) abort(session, outcome.immediate);
  else openBody(session, side, outcome);
  if (side === request) advance(session, request);
  advance(session, response);
}

/** A flow took a piece of body. */
export function pushDone(session: Session, direction: Direction, step: FlowStep): void {
  const side = sideOf(session, direction);
  if (side.work?.kind !== "push") return;
  side.work = undefined;
  if (step.kind === "refuse") refuse(session, direction, step.refusal);
  else {
    release(side, step.bytes);
    pushed(session, side);
  }
  advance(session, side);
}

/** A flow came to its end. */
export function endDone(session: Session, direction: Direction, step: LastStep): void {
  const side = sideOf(session, direction);
  if (side.work?.kind !== "end") return;
  side.work = undefined;
  if (step.kind === "refuse") refuse(session, direction, step.refusal);
  else {
    release(side, step.bytes);
    settle(session, side, step.edits, true);
  }
  advance(session, side);
}

/** Answers since they were taken last, in order. */
export function takeAnswers(session: Session): readonly Answer[] {
  const { answers } = session;
  if (answers.length === 0) return noAnswers;
  session.answers = [];
  return answers;
}

/** Nothing is being done, and nothing waits. */
export function isIdle({ isOver, request, response }: Session): boolean {
  return isOver || (isResting(request) && isResting(response));
}

function isResting({ work, queue }: Side): boolean {
  return work === undefined && queue.length === 0;
}

/** Goes on with a direction until there is work, or nothing waits. */
function advance(session: Session, side: Side): void {
  while (!session.isOver && side.work === undefined) {
    const next = side.queue[0];
    if (next === undefined) return;
    if (side === session.response && side.stage === "waiting" && session.request.stage === "deciding") return;
    side.queue.shift();
    if (next === "end") takeEnd(side);
    else if (next.part.kind === "headers") takeHeaders(session, side, next.part, next);
    else if (next.part.kind === "body") takeBody(session, side, next.part);
    else takeTrailers(session, side, next.part);
  }
}
