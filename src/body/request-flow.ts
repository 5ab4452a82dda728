import { Buffer } from "node:buffer";
import type { Workload } from "../attributes/index.js";
import type { Provider } from "../engine/index.js";
import { tellOfChange } from "./changed-headers.js";
import { mediaTypeOf } from "./content-types.js";
import { noHeaderEdits } from "./header-lines.js";
import type { CompiledHeaderRule } from "./header-rules.js";
import type { MessageState } from "./message-state.js";
import { refusalFor } from "./refusals.js";
import { allowance, type Codings, codingsOf, type Decoded, decodeWhole } from "./request-decode.js";
import type { CompiledBodyRule, CompiledRequestBody } from "./request-part.js";
import { applyRules, type HeldBody } from "./request-rules.js";
import type { BodyFlow, BodyRefusal, FlowStep, LastStep } from "./run.js";
import type { RunRecord } from "./run-record.js";

/** One policy's share in a request's body. */
export interface Participant {
  /** `NAMESPACE/NAME`. */
  readonly policy: string;
  readonly dryRun: boolean;
  readonly body: CompiledRequestBody;
  /** Those that were not asked yet. */
  readonly rules: readonly CompiledBodyRule[];
  /** Those that wait for the body. */
  readonly lateHeaders: readonly CompiledHeaderRule[];
  /** Whether the body is looked at: not one of a type that passes. */
  readonly isRead: boolean;
  /** Whether it is a fault that there is none where one belongs. */
  readonly isExpected: boolean;
}

/** What a flow works with. */
export interface RequestFlowOptions {
  readonly participants: readonly Participant[];
  /** The request's as its head was left; the late changes go on top. */
  readonly state: MessageState;
  readonly workload: Workload | undefined;
  readonly record: RunRecord;
  readonly rego: (policy: string) => Provider | undefined;
  /** See `BodyInput`. */
  readonly checkRequest: ((body: Uint8Array) => Uint8Array) | undefined;
  /** All has gone well. */
  readonly onDone: () => void;
}

/**
 * How it stands with a participant: it reads, cuts the body off, lets it pass unread, or has nothing to say
 * any more.
 */
type Standing = "reads" | "truncates" | "passes" | "dropped";

const nothing = new Uint8Array();

/**
 * The flow of a request's body: it holds all of it, in as many bytes as its policies allow, and asks their
 * rules when it is over. Limits count the body as it came, decoded; where it is encoded, its encoded form
 * may be no longer either, but for what an encoding adds to what cannot be compressed. An encoded body that
 * is too long is never cut off but refused.
 */
export function createRequestFlow(options: RequestFlowOptions): BodyFlow {
  const { participants, state, record, onDone } = options;
  // INVARIANT: what nobody decodes was refused at the head, or passes unread.
  const codings = codingsOf(state.headers.lines) ?? [];
  const isEncoded = codings.length > 0;
  const standings: Standing[] = participants.map(({ isRead }) => (isRead ? "reads" : "passes"));
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let total = 0;
  let isReleased = false;
  let refused: BodyRefusal | undefined;

  const refuse = (refusal: BodyRefusal): LastStep & FlowStep => {
    held = [];
    refused = refusal;
    record.refused(refusal, "request");
    return { kind: "refuse", refusal };
  };
  /** Takes out a policy on trial; the refusal otherwise. */
  const fault = (i: number, refusal: BodyRefusal): BodyRefusal | undefined => {
    if (participants[i]?.dryRun !== true) return refusal;
    standings[i] = "dropped";
    record.dryRun.push({ policy: refusal.policy, reason: refusal.reason });
    return undefined;
  };
  const overLimit = (
    i: number,
    { policy, dryRun, body: { limits } }: Participant,
  ): BodyRefusal | undefined => {
    if (limits.onLimit === "pass") {
      standings[i] = "passes";
      if (!dryRun) record.unscanned = true;
      return undefined;
    }
    if (limits.onLimit === "truncate" && !isEncoded && !dryRun) {
      standings[i] = "truncates";
      return undefined;
    }
    return fault(i, refusalFor("body_too_large", policy));
  };
  const checkLength = (): BodyRefusal | undefined => {
    for (const [i, participant] of participants.entries()) {
      if (standings[i] !== "reads") continue;
      const { maxBytes } = participant.body.limits;
      const room = isEncoded ? maxBytes + (maxBytes >> 6) + 1024 : maxBytes;
      const refusal = total > room ? overLimit(i, participant) : undefined;
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  };
  const isHeld = (): boolean => standings.some((one) => one === "reads" || one === "truncates");
  const keep = (chunk: Uint8Array): void => {
    const room = Math.max(
      ...participants.map(({ body }, i) => (standings[i] === "truncates" ? body.limits.maxBytes : 0)),
    );
    // Beyond it everything is cut off: whoever reads has refused by now.
    if (standings.every((one) => one !== "reads") && heldBytes >= room) return;
    held.push(chunk);
    heldBytes += chunk.length;
  };
  const takeHeld = (): Uint8Array => {
    const [first = nothing, second] = held;
    const all = second === undefined ? first : Buffer.concat(held);
    held = [];
    return all;
  };

  function* finish(came: Uint8Array): Generator<unknown, LastStep, never> {
    const isEmpty = total === 0;
    const decoded = isReleased || isEmpty ? undefined : decode(came, codings, participants, standings);
    const body: HeldBody = {
      bytes: decoded?.kind === "bytes" ? decoded.bytes : nothing,
      changed: false,
      contentType: mediaTypeOf(state.headers.lines),
    };
    for (const [i, participant] of participants.entries()) {
      const encodedFault = standings[i] === "reads" ? faultOfDecoded(participant, came, decoded) : undefined;
      const refusal =
        encodedFault === "body_too_large"
          ? overLimit(i, participant)
          : encodedFault === undefined
            ? undefined
            : fault(i, refusalFor(encodedFault, participant.policy));
      if (refusal !== undefined) return refuse(refusal);
      const standing = standings[i];
      if (standing === "dropped") continue;
      if (standing === "truncates") {
        body.bytes = body.bytes.subarray(0, participant.body.limits.maxBytes);
        body.changed = true;
      }
      const isRead = !isEmpty && standing !== "passes";
      const found = yield* applyRules({ ...options, participant, body, isRead, isEmpty });
      const answer = found === undefined ? undefined : fault(i, found);
      if (answer !== undefined) return refuse(answer);
    }
    if (body.changed) tellOfChange(state.headers, body.bytes.length, isEncoded);
    onDone();
    return { kind: "go", bytes: body.changed ? body.bytes : came, edits: state.headers.edits() };
  }

  return {
    need: "whole",
    headEdits: noHeaderEdits,
    get heldBytes() {
      return held.length === 0 ? 0 : heldBytes;
    },
    giveUpTrials() {
      for (const [i, { dryRun, policy }] of participants.entries()) {
        if (dryRun && standings[i] === "reads") fault(i, refusalFor("body_no_room", policy));
      }
      if (isHeld()) return nothing;
      isReleased = true;
      return takeHeld();
    },
    push(chunk) {
      if (refused !== undefined) return { kind: "refuse", refusal: refused };
      total += chunk.length;
      record.requestBytes = total;
      if (isReleased) return { kind: "go", bytes: chunk };
      const refusal = checkLength();
      if (refusal !== undefined) return refuse(refusal);
      if (isHeld()) {
        keep(chunk);
        return { kind: "go", bytes: nothing };
      }
      isReleased = true;
      held.push(chunk);
      return { kind: "go", bytes: takeHeld() };
    },
    end() {
      if (refused !== undefined) return { kind: "refuse", refusal: refused };
      const policy = participants[0]?.policy ?? "";
      return drive(finish(takeHeld()), () => refuse(refusalFor("internal_error", policy)));
    },
  };
}

function decode(
  came: Uint8Array,
  codings: NonNullable<Codings>,
  participants: readonly Participant[],
  standings: readonly Standing[],
): Decoded | undefined {
  if (codings.length === 0) return { kind: "bytes", bytes: came };
  const readers = participants.filter((_, i) => standings[i] === "reads").map(({ body }) => body.limits);
  if (readers.length === 0) return undefined;
  return decodeWhole(came, codings, roomOf(readers, came.length));
}

/** Decoded bytes that some reader may still take. */
function roomOf(readers: readonly { maxBytes: number; maxRatio: number }[], encoded: number): number {
  const most = Math.max(...readers.map(({ maxBytes }) => maxBytes));
  const ratio = Math.max(...readers.map(({ maxRatio }) => maxRatio));
  return Math.min(most, allowance(encoded, ratio));
}

/** What is wrong with a decoded body for one of its readers. */
function faultOfDecoded(
  { body: { limits } }: Participant,
  { length: encoded }: Uint8Array,
  decoded: Decoded | undefined,
): "body_too_large" | "body_encoding" | undefined {
  if (decoded === undefined) return undefined;
  if (decoded.kind === "malformed") return "body_encoding";
  const length = decoded.kind === "bytes" ? decoded.bytes.length : Number.POSITIVE_INFINITY;
  if (decoded.kind === "over")
    return allowance(encoded, limits.maxRatio) < limits.maxBytes ? "body_encoding" : "body_too_large";
  if (length > allowance(encoded, limits.maxRatio)) return "body_encoding";
  return length > limits.maxBytes ? "body_too_large" : undefined;
}

/** Runs what may have to wait; without anything to wait for, at once. */
function drive(
  steps: Generator<unknown, LastStep, never>,
  onFault: () => LastStep,
): LastStep | Promise<LastStep> {
  const advance = (value: unknown): LastStep | Promise<LastStep> => {
    let next = steps.next(value as never);
    while (next.done !== true) {
      const { value: asked } = next;
      if (asked instanceof Promise) return asked.then(advance);
      next = steps.next(asked as never);
    }
    return next.value;
  };
  try {
    const step = advance(undefined);
    return step instanceof Promise ? step.catch(onFault) : step;
  } catch {
    return onFault();
  }
}
