import { type JsonObject, type JsonValue, member } from "../../attributes/index.js";
import type { CheckOutcomeAtProxy, ReportBody, ReportCheck, ReportQuota } from "../../report/index.js";
import { withAllFulfilled, withRefusal } from "./body.js";
import type { DecisionFacts } from "./decision.js";
import type { Entry } from "./entry.js";
import { downstreamGone, unauthorizedExternalService } from "./flags.js";

/** `ShadowDecision.CheckResult`. */
const shadow = { allowed: 1, denied: 2, error: 3 } as const;

/**
 * Envoy's timer is set after its clock for the latency was started, and may fire some milliseconds early by that
 * clock: 297.2 ms of 300 were measured.
 */
const nearlyAll = 0.97;

const noQuota: readonly ReportQuota[] = [];
const noDryRun: readonly JsonObject[] = [];
const noNames: readonly string[] = [];

const noCheck: ReportCheck = {
  outcome: "none",
  decisionId: "",
  allowed: undefined,
  code: undefined,
  stage: "",
  reason: "",
  policy: "",
  rule: undefined,
  snapshot: undefined,
  failedOpen: false,
  principal: "",
  quota: noQuota,
  dryRun: noDryRun,
  obligations: noNames,
  unmet: noNames,
  body: undefined,
  latencyMs: undefined,
};

/**
 * What an entry tells of its check. All of it was written by Envoy's own filters and settings: dynamic metadata,
 * details of the response, filter state, and the custom tags `check_latency_us` and `check_timeout_ms`. `isOver`: no
 * other entry of the same request comes.
 */
export function readCheck(entry: Entry, isOver: boolean): ReportCheck {
  const decision = decisionOf(entry);
  const latencyMs = latencyOf(entry);
  const outcome = outcomeOf(entry, decision, latencyMs);
  if (decision === undefined) {
    if (outcome === "none" && latencyMs === undefined) return noCheck;
    // Envoy asked, and went on without an answer of ours, which has metadata: its failure mode allows that.
    const failedOpen = outcome === "none" && entry.isHttp && entry.attempts > 0;
    return { ...noCheck, outcome, latencyMs, failedOpen };
  }
  const body = bodyOf(entry, decision.obligations);
  return {
    outcome,
    decisionId: decision.decisionId,
    allowed: decision.allowed,
    code: decision.code,
    stage: decision.stage,
    reason: decision.reason,
    policy: decision.policy,
    rule: decision.rule,
    snapshot: decision.snapshot,
    failedOpen: decision.failedOpen,
    principal: decision.principal,
    quota: quotaOf(decision.quota),
    dryRun: decision.dryRun,
    obligations: decision.obligations,
    unmet: isOver && outcome === "allowed" ? unmetOf(entry, decision.obligations, body) : noNames,
    body,
    latencyMs,
  };
}

/**
 * Whose answer counted: ext_authz's, which ext_proc carries on, unless ext_proc was the only one of ours, or did not
 * take the other's word and refused.
 */
function decisionOf({ decision, processed }: Entry): DecisionFacts | undefined {
  if (processed === undefined || !processed.isOurs) return decision;
  if (decision === undefined || !decision.isOurs) return processed;
  return processed.allowed === false && processed.decisionId !== decision.decisionId ? processed : decision;
}

/** ext_proc lets a request go on, and a policy refuses the body, or the response. */
function isRefusedLater({ processed }: Entry): boolean {
  if (processed === undefined) return false;
  return (processed.allowed === false && processed.stage === "body") || processed.body?.refused !== undefined;
}

function bodyOf(entry: Entry, obligations: readonly string[]): ReportBody | undefined {
  const { processed } = entry;
  const body = processed?.body && withAllFulfilled(processed.body, obligations);
  if (processed === undefined || !isRefusedLater(entry)) return body;
  return withRefusal(body, processed.policy, processed.reason);
}

/** What nobody who could have done it says that it did. Of a request that was cut short not everything could be done. */
function unmetOf(
  entry: Entry,
  obligations: readonly string[],
  body: ReportBody | undefined,
): readonly string[] {
  if (obligations.length === 0 || !entry.isHttp || entry.attempts === 0) return noNames;
  const { processed, codeDetails, flags } = entry;
  if (processed === undefined || !processed.isOurs) return obligations;
  if (codeDetails !== "via_upstream" || (flags & downstreamGone) !== 0) return noNames;
  const fulfilled = body?.fulfilled ?? noNames;
  const unmet = obligations.filter((name) => !fulfilled.includes(name));
  return unmet.length === 0 ? noNames : unmet;
}

/** `response_code_details` that were set before an upstream had its say, in the words of whoever set them. */
function endedBy(entry: Entry, latencyMs: number | undefined): "error" | "timeout" | "denied" | undefined {
  const { codeDetails } = entry;
  if (codeDetails.startsWith("ext_authz_error")) return failureOf(entry, latencyMs);
  if (codeDetails.startsWith("ext_authz_denied")) return "denied";
  if (codeDetails.startsWith("ext_proc_error")) {
    return codeDetails.includes("timeout_exceeded") ? "timeout" : "error";
  }
  // Of the immediate responses of our own, see ext-proc.
  return codeDetails.startsWith("gatehouse_") ? "denied" : undefined;
}

function outcomeOf(
  entry: Entry,
  decision: DecisionFacts | undefined,
  latencyMs: number | undefined,
): CheckOutcomeAtProxy {
  const ended = entry.codeDetails === "via_upstream" ? undefined : endedBy(entry, latencyMs);
  if (ended !== undefined) return ended;
  // A refusal in a later phase: an upstream was asked before, and what it sent was held back or cut off.
  if (isRefusedLater(entry)) return "denied";
  const state = entry.filterState.shadow;
  if (state === shadow.denied) return "shadow_denied";
  if (state === shadow.error) return "shadow_error";
  const allowed = decision?.allowed;
  if (!entry.isHttp && (entry.flags & unauthorizedExternalService) !== 0) {
    // A connection has no latency of its check, but it ends with a check that fails.
    return allowed === undefined ? failureOf(entry, entry.duration) : "denied";
  }
  if (allowed === true || state === shadow.allowed) return "allowed";
  if (allowed === undefined) return "none";
  return wasServed(entry) ? "denied_but_served" : "denied";
}

function failureOf(entry: Entry, latencyMs: number | undefined): "error" | "timeout" {
  const timeoutMs = count(entry.customTags.get("check_timeout_ms"));
  return timeoutMs !== undefined && latencyMs !== undefined && latencyMs >= timeoutMs * nearlyAll
    ? "timeout"
    : "error";
}

/** Of a connection, Envoy reaches for the upstream while it waits for the check: only bytes that went through tell. */
function wasServed(entry: Entry): boolean {
  return entry.isHttp ? entry.attempts > 0 : entry.sent > 0;
}

function latencyOf({ customTags, decision }: Entry): number | undefined {
  const microseconds = count(customTags.get("check_latency_us"));
  return microseconds === undefined ? decision?.durationMs : microseconds / 1000;
}

function quotaOf(objects: readonly JsonObject[]): readonly ReportQuota[] {
  if (objects.length === 0) return noQuota;
  // Those that had no room say what they took only.
  const whole = objects.filter((object) => member(object, "limit") !== undefined);
  return whole.map((object) => ({
    quota: text(member(object, "quota")),
    cost: number(member(object, "cost")),
    limit: number(member(object, "limit")),
    remaining: number(member(object, "remaining")),
  }));
}

/** A decimal text of a few digits. */
function count(value: string | undefined): number | undefined {
  if (value === undefined || value === "" || value.length > 12) return undefined;
  let sum = 0;
  for (let index = 0; index < value.length; index++) {
    const digit = value.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    sum = sum * 10 + digit;
  }
  return sum;
}

function text(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}

function number(value: JsonValue | undefined): number {
  return typeof value === "number" ? value : 0;
}
