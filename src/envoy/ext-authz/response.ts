import { Buffer } from "node:buffer";
import { type JsonObject, toText } from "../../attributes/index.js";
import type { AuthnRecord } from "../../authn/index.js";
import type { AppendAction, Decision, DryRun, HeaderEdit } from "../../engine/index.js";
import type { CheckResponse, HeaderAppendAction, HeaderValueOption, StatusCode } from "../../proto/index.js";
import { type Carried, identityKey } from "../handover.js";
import { toStruct } from "../struct.js";

/** `HeaderValueOption.HeaderAppendAction` by name. */
const appendActions: Readonly<Record<AppendAction, HeaderAppendAction>> = {
  APPEND_IF_EXISTS_OR_ADD: 0,
  ADD_IF_ABSENT: 1,
  OVERWRITE_IF_EXISTS_OR_ADD: 2,
  OVERWRITE_IF_EXISTS: 3,
};

/**
 * What keeps the record below 1 KiB as protobuf: how many results and refused credentials are in it, and bytes for
 * all names in it. The policy that decided, of which one may have 317, is always whole, and so are obligations
 * and what quotas took, which ext_proc has to know: many of them leave no room for others, and go beyond. Then the caller
 * has its part, then what quotas have left, and dry-run policies have what remains. A sealed identity stands beside the
 * record.
 */
const maxDryRuns = 3;
const maxRefusedCredentials = 2;
const maxNames = 670;
/** Bytes of a principal, and of an issuer: the token's owner chooses the one, the configuration the other. */
const maxPrincipal = 160;
const maxIssuer = 80;
/** Bytes of what stands around the names. */
const aroundCaller = 80;
const aroundRefused = 120;
const aroundDryRun = 32;
const aroundQuota = 96;
const aroundObligation = 6;
const aroundMac = 44;

/**
 * A decision as Envoy reads it, with what of it goes over to ext_proc. Always a CheckResponse, never an error of gRPC and never `error_response`.
 */
export function toCheckResponse(decision: Decision, carried?: Carried): CheckResponse {
  const response: CheckResponse = {
    status: { code: decision.code },
    dynamic_metadata: toStruct(recordOf(decision, carried)),
  };
  const { edits, quota } = decision;
  const quotaHeaders = quota.headers.map(([key, value]) => ({
    header: { key, value },
    append_action: appendActions.OVERWRITE_IF_EXISTS_OR_ADD,
  }));
  if (decision.allowed) {
    response.ok_response = {
      headers: edits.requestHeaders.map(toHeader),
      headers_to_remove: [...edits.requestHeadersToRemove],
      response_headers_to_add: [...edits.responseHeaders.map(toHeader), ...quotaHeaders],
      query_parameters_to_set: edits.queryParametersToSet.map(([key, value]) => ({
        key: toText(key),
        value: toText(value),
      })),
      query_parameters_to_remove: edits.queryParametersToRemove.map(toText),
    };
  } else {
    response.denied_response = {
      status: { code: decision.httpStatus as StatusCode },
      headers: [...edits.responseHeaders.map(toHeader), ...quotaHeaders],
      body: decision.body,
    };
  }
  return response;
}

/**
 * The decision record as Envoy's dynamic metadata: `decision_id` on top, all else under `gatehouse`, a policy's own keys
 * beside them. With `carried` ext_proc can take the decision over.
 */
export function recordOf(decision: Decision, carried?: Carried): JsonObject {
  const { rule, dryRun, audit, authn, quota, obligations } = decision;
  const forAll = maxNames - (rule?.policy.length ?? 0) - (carried === undefined ? 0 : aroundMac);
  let forOthers = forAll;
  for (const name of obligations) forOthers -= name.length + aroundObligation;
  const caller = authn && describeAuthn(authn, forOthers);
  const taken = describeQuota(quota.facts, caller?.left ?? forOthers, carried !== undefined);
  return {
    ...(decision.metadata as JsonObject | undefined),
    decision_id: decision.decisionId,
    gatehouse: {
      allowed: decision.allowed,
      code: decision.code,
      stage: decision.stage,
      reason: decision.reason,
      snapshot: decision.generation,
      ...(rule !== undefined && { policy: rule.policy }),
      ...(rule?.rule !== undefined && { rule: rule.rule }),
      ...(obligations.length > 0 && { obligations }),
      ...(dryRun.length > 0 && { dry_run: shorten(dryRun, taken.left) as unknown as JsonObject[] }),
      ...(audit !== undefined && { audit }),
      ...(taken.description.length > 0 && { quota: taken.description }),
      ...(caller !== undefined && { authn: caller.description }),
      ...(decision.failedOpen && { failed_open: true }),
      ...(carried !== undefined && { mac: carried.mac }),
    },
    ...(carried !== undefined && carried.identity !== "" && { [identityKey]: carried.identity }),
  };
}

/**
 * Which identity is in use and why credentials were refused; never a credential itself. `left`: of the bytes that it
 * was given, those that it did not need.
 */
function describeAuthn(
  { method, principal, refused }: AuthnRecord,
  bytes: number,
): { readonly description: JsonObject; readonly left: number } {
  let left = bytes - aroundCaller;
  const take = (name: string, max: number): string => {
    const taken = cut(name, Math.max(0, Math.min(max, left)));
    left -= Buffer.byteLength(taken);
    return taken;
  };
  const caller = take(principal, maxPrincipal);
  const others = refused.slice(0, maxRefusedCredentials).flatMap((credential) => {
    left -= aroundRefused;
    const { reason } = credential;
    return left < 0
      ? []
      : [{ method: credential.method, issuer: take(credential.issuer, maxIssuer), reason }];
  });
  const description = {
    ...(method !== undefined && { method }),
    ...(caller !== "" && { principal: caller }),
    ...(others.length > 0 && { refused: others }),
  };
  return { description, left };
}

/** What quotas took, the first ones where there is no room for all; if `isWhole`, of all of them at least that. */
function describeQuota(
  facts: Decision["quota"]["facts"],
  bytes: number,
  isWhole: boolean,
): { readonly description: JsonObject[]; readonly left: number } {
  let left = bytes;
  const description: JsonObject[] = [];
  for (const { quota, cost, limit, counter } of facts) {
    const size = quota.length + aroundQuota;
    if (size > left && !isWhole) break;
    const isFull = size <= left;
    left = isFull ? left - size : 0;
    description.push(isFull ? { quota, cost, limit, remaining: counter.remaining } : { quota, cost });
  }
  return { description, left };
}

/** At most so many bytes of UTF-8, a character at the end whole or not at all. */
function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text, "utf8");
  return bytes.length <= maxBytes ? text : bytes.toString("utf8", 0, maxBytes).replace(/\ufffd$/, "");
}

/** Where the names are too long together, the first ones stay. */
function shorten(dryRuns: readonly DryRun[], bytes: number): readonly DryRun[] {
  let left = bytes;
  return dryRuns.slice(0, maxDryRuns).map((dryRun) => {
    left -= dryRun.policy === undefined ? 0 : dryRun.policy.length + aroundDryRun;
    return left < 0 ? { action: dryRun.action, result: dryRun.result } : dryRun;
  });
}

/** Envoy 1.40 reads no `raw_value` here; the validator of edits has refused what is not UTF-8. */
function toHeader({ name, value, action }: HeaderEdit): HeaderValueOption {
  return { header: { key: name, value: toText(value) }, append_action: appendActions[action] };
}
