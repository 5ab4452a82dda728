import { Buffer } from "node:buffer";
import { breaksLine, isEditableHeader, type JsonValue } from "../attributes/index.js";
import { invalidEdit, noEdits, type Verdict } from "../engine/index.js";
import { hasReadableCharset } from "./content-types.js";
import { rewriteJson } from "./json-rewrite.js";
import { refusalFor, refusalOf } from "./refusals.js";
import { contentKindOf, parseContent } from "./request-content.js";
import type { Participant, RequestFlowOptions } from "./request-flow.js";
import type { CompiledBodyRule } from "./request-part.js";
import type { BodyRefusal } from "./run.js";
import type { MessageInput } from "./vocabulary.js";

/** The decoded body while policies act on it. */
export interface HeldBody {
  bytes: Uint8Array;
  changed: boolean;
  readonly contentType: string;
}

/** One policy's turn. */
export interface Turn extends RequestFlowOptions {
  readonly participant: Participant;
  readonly body: HeldBody;
  /** Whether the body is looked at. */
  readonly isRead: boolean;
  readonly isEmpty: boolean;
}

/**
 * Where a body belongs to the method (RFC 9110 section 9.3), so that one without says nothing where JSON is
 * asked for.
 */
const withBody: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

/**
 * Asks a policy's rules in order; gives the refusal of the first that refuses. Yields what has to be waited
 * for.
 */
export function* applyRules(turn: Turn): Generator<unknown, BodyRefusal | undefined, Verdict> {
  const { participant, body, state, isRead, isEmpty } = turn;
  const { policy, dryRun, rules, lateHeaders } = participant;
  const { request } = state.attributes();
  const { isJsonWanted, isParsed, json, hasForm, descriptors } = participant.body;
  const kind = contentKindOf(body.contentType, isJsonWanted);
  let value: JsonValue | undefined;
  const isMissing = isEmpty && isJsonWanted && participant.isExpected;
  if (isMissing && withBody.has(request?.method ?? "")) return refusalFor("body_malformed", policy);
  if (isRead && isParsed && request !== undefined) {
    const isText = kind !== "other" && kind !== "grpc";
    if (isText && !hasReadableCharset(request.headers)) return refusalFor("body_type", policy);
    const content = parseContent(body.bytes, { kind, json, hasForm, descriptors }, request);
    if (content.fault !== undefined) return refusalFor(content.fault, policy);
    value = content.value;
    // A client that calls JSON text would get past `has(request.body.x)`, and the upstream may parse it all the same.
    const isAnyType = participant.body.limits.contentTypes.length === 0;
    const isJudged = rules.some((rule) => rule.kind === "deny" && rule.readsBody);
    if (value === undefined && isJudged) {
      // What no descriptor knows, or is compressed, would get past it too, although its type is named.
      if (kind === "grpc") return refusalFor(body.bytes[0] === 0 ? "body_type" : "body_encoding", policy);
      if (isAnyType) return refusalFor("body_type", policy);
    }
  }
  let bytes = body.bytes;
  let changed = false;
  let isStale = false;
  const look = (): MessageInput => {
    if (isStale)
      value = JSON.parse(
        Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(),
      ) as JsonValue;
    isStale = false;
    return state.input(value);
  };
  for (const rule of rules) {
    if (rule.readsBody && !isRead) continue;
    const input = look();
    if (rule.kind === "deny") {
      const refusal = refusalByRule(rule, input, policy);
      if (refusal !== undefined) return refusal;
    } else if (rule.kind === "rego") {
      const refusal = yield* askRego(turn, rule.policy, bytes);
      if (refusal !== undefined) return refusal;
    } else if (rule.applies(input)) {
      if (kind !== "json") return refusalFor("body_type", policy);
      const change = rule.changeFor(input);
      if (change === undefined) return refusalFor("policy_failed", policy);
      const rewritten = rewriteJson(bytes, rule.path, change);
      if (rewritten === undefined) continue;
      bytes = rewritten.body;
      changed = true;
      isStale = true;
      if (!dryRun) turn.record.changed(policy, `request.${rule.name}`, rewritten.changed);
    }
  }
  if (dryRun) return undefined;
  body.bytes = bytes;
  body.changed ||= changed;
  for (const rule of lateHeaders) {
    if (rule.act(look(), state.headers)) turn.record.changed(policy, `request.${rule.name}`, 1);
  }
  return undefined;
}

/** What a `deny` says. Without a value it refuses too. */
export function refusalByRule(
  rule: Extract<CompiledBodyRule, { kind: "deny" }>,
  input: MessageInput,
  policy: string,
): BodyRefusal | undefined {
  const answer = rule.ask(input);
  if (answer === false) return undefined;
  return refusalOf(rule.refusal, answer === "unknown" ? "policy_failed" : "denied_by_policy", policy);
}

function* askRego(
  { participant: { policy, dryRun }, state, record, rego, checkRequest, workload }: Turn,
  name: string,
  body: Uint8Array,
): Generator<unknown, BodyRefusal | undefined, Verdict> {
  const provider = rego(name);
  if (provider === undefined || checkRequest === undefined) return refusalFor("policy_failed", policy);
  const original = checkRequest(body);
  const verdict = yield provider({ attributes: state.attributes(), original, workload, edits: noEdits });
  if (!verdict.allowed) {
    const reason = verdict.failed
      ? "policy_failed"
      : verdict.isBadRequest
        ? "bad_request"
        : "denied_by_policy";
    const { httpStatus, code, body: text, edits } = verdict;
    if (invalidEdit(edits, { isRefusal: true }) !== undefined) return refusalFor("bad_edit", policy);
    const { responseHeaders: headers } = edits;
    return { httpStatus, code, reason, policy, body: text, contentType: "text/plain", headers };
  }
  if (verdict.dryRun === "denied") record.dryRun.push({ policy, reason: "denied_by_policy" });
  if (verdict.failedOpen) record.unscanned = true;
  if (dryRun) return undefined;
  const { requestHeaders: set, requestHeadersToRemove: remove } = verdict.edits;
  const names = [...set.map((edit) => edit.name), ...remove];
  const isBad = names.some((each) => !isEditableHeader(each.toLowerCase()));
  if (isBad || set.some((edit) => breaksLine(edit.value))) return refusalFor("bad_edit", policy);
  state.headers.apply({
    remove: remove.map((each) => each.toLowerCase()),
    set: set.map((edit) => ({ ...edit, name: edit.name.toLowerCase() })),
  });
  return undefined;
}
