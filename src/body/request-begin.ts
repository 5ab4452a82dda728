import type { Provider } from "../engine/index.js";
import { mediaTypeOf } from "./content-types.js";
import { createRequestState, type MessageState } from "./message-state.js";
import { refusalFor } from "./refusals.js";
import { codingsOf } from "./request-decode.js";
import { createRequestFlow, type Participant } from "./request-flow.js";
import type { CompiledRequestBody, CompiledRequestPart } from "./request-part.js";
import { refusalByRule } from "./request-rules.js";
import type { BodyFlow, BodyInput, BodyRefusal } from "./run.js";
import type { RunRecord } from "./run-record.js";

/** A policy that applies to a request. */
export interface RequestPolicy {
  /** `NAMESPACE/NAME`. */
  readonly name: string;
  readonly dryRun: boolean;
  readonly request: CompiledRequestPart | undefined;
}

/** What a request begins with. */
export interface RequestBeginning {
  readonly policies: readonly RequestPolicy[];
  readonly input: BodyInput;
  readonly record: RunRecord;
  readonly rego: (policy: string) => Provider | undefined;
  /** All of the request has been judged. */
  readonly onDone: () => void;
}

/** A request whose head has been judged. */
export interface BegunRequest {
  /** As it goes on at once. */
  readonly state: MessageState;
  /** With what comes after the body. */
  readonly late: MessageState;
  /** Undefined: nothing waits for the body. */
  readonly flow: BodyFlow | undefined;
}

/**
 * Acts on a request's head, policy by policy, and says what is left for its body. What the head alone
 * decides is refused before any body is waited for: its type, its encoding, a length that is told, and rules
 * that stand first and read no body.
 */
export function beginRequest(beginning: RequestBeginning): BegunRequest | BodyRefusal {
  const { policies, input, record, rego, onDone } = beginning;
  const { attributes, workload, hasBody, checkRequest } = input;
  const state = createRequestState(attributes, workload);
  const participants: Participant[] = [];
  for (const { name, dryRun, request } of policies) {
    if (request === undefined) continue;
    const isLate = request.headers.map((rule) => rule.isLate);
    if (!dryRun) {
      request.headers.forEach((rule, i) => {
        if (isLate[i] !== true && rule.act(state.input(undefined), state.headers))
          record.changed(name, `request.${rule.name}`, 1);
      });
    }
    if (request.body === undefined) continue;
    const found = judgeHead(name, request.body, state, hasBody);
    if ("refusal" in found) {
      if (!dryRun) return found.refusal;
      record.dryRun.push({ policy: name, reason: found.refusal.reason });
      continue;
    }
    if (found.isUnscanned && !dryRun) record.unscanned = true;
    participants.push({
      policy: name,
      dryRun,
      body: request.body,
      rules: request.body.rules.slice(found.asked),
      lateHeaders: dryRun ? [] : request.headers.filter((_, i) => isLate[i] === true),
      isRead: found.isRead,
      isExpected: found.isRead || !hasBody,
    });
  }
  if (participants.length === 0) {
    onDone();
    return { state, late: state, flow: undefined };
  }
  const late = createRequestState(state.attributes(), workload);
  const flow = createRequestFlow({ participants, state: late, workload, record, rego, checkRequest, onDone });
  const waits = policies.some(({ request }) => request?.asksRego === true);
  if (hasBody ? participants.some(isWaiting) : waits) return { state, late, flow };
  const step = flow.end();
  // INVARIANT: only Rego makes a flow wait.
  if (step instanceof Promise) return refusalFor("internal_error", participants[0]?.policy ?? "");
  if (step.kind === "refuse") return step.refusal;
  state.headers.apply(step.edits);
  return { state, late: state, flow: undefined };
}

function isWaiting({ isRead, rules, lateHeaders }: Participant): boolean {
  return isRead || lateHeaders.length > 0 || rules.some(({ kind }) => kind === "rego");
}

/** What the head says: a refusal, or how many rules were asked and whether the body is looked at. */
type Judged =
  | { readonly refusal: BodyRefusal }
  | { readonly asked: number; readonly isRead: boolean; readonly isUnscanned: boolean };

function judgeHead(
  policy: string,
  { limits, takes, rules }: CompiledRequestBody,
  state: MessageState,
  hasBody: boolean,
): Judged {
  const { lines } = state.headers;
  let isRead = hasBody;
  let isUnscanned = false;
  if (hasBody) {
    if (!takes(mediaTypeOf(lines))) {
      if (limits.otherContentTypes === "deny") return { refusal: refusalFor("body_type", policy) };
      isRead = false;
    } else {
      const codings = codingsOf(lines);
      const isEncoded = codings === undefined || codings.length > 0;
      const isRefused = codings === undefined || (isEncoded && limits.encodings === "deny");
      if (isRefused) return { refusal: refusalFor("body_encoding", policy) };
      const [length = "", second] = lines.get("content-length") ?? [];
      const isTooLong =
        !isEncoded && second === undefined && /^\d{1,15}$/.test(length) && Number(length) > limits.maxBytes;
      if (isTooLong && limits.onLimit === "deny") return { refusal: refusalFor("body_too_large", policy) };
      if (isTooLong && limits.onLimit === "pass") {
        isRead = false;
        isUnscanned = true;
      }
    }
  }
  let asked = 0;
  for (const rule of rules) {
    if (rule.kind !== "deny" || rule.readsBody) break;
    const refusal = refusalByRule(rule, state.input(undefined), policy);
    if (refusal !== undefined) return { refusal };
    asked++;
  }
  return { asked, isRead, isUnscanned };
}
