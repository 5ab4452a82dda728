import { type Attributes, member, type Workload } from "../../attributes/index.js";
import type { BodyRefusal } from "../../body/index.js";
import { type Decision, type DryRun, grpcCode, noEdits, noQuota, type Reason } from "../../engine/index.js";
import type { CarriedOver } from "../handover.js";
import type { BesideRequest } from "./exchange.js";

const viaUpstream = "via_upstream";
const noCharge: ReadonlyMap<string, number> = new Map();

/** What somebody in the chain before us answered, so that the request was never ours to judge. */
export function isLocalReply(code: number, beside: BesideRequest | undefined): boolean {
  const details = beside && member(beside.attributes(), "response.code_details");
  return typeof details === "string" ? details !== viaUpstream : code >= 400;
}

/** Something that is wrong on our side of the exchange, or with Envoy's configuration. */
export function failure(reason: Reason, policy = ""): BodyRefusal {
  return { httpStatus: 500, code: grpcCode.internal, reason, policy, body: "", contentType: "" };
}

/** How a refusal stands in the record. */
export function ending({ httpStatus, code, reason, policy }: BodyRefusal): Partial<Decision> {
  const rule = policy === "" ? undefined : { key: policy, policy, rule: undefined };
  return { allowed: false, httpStatus, code, stage: "body", reason, rule };
}

export function chargedBy({ quota }: Decision): ReadonlyMap<string, number> {
  if (quota.facts.length === 0) return noCharge;
  const charged = new Map<string, number>();
  for (const { quota: name, cost } of quota.facts) charged.set(name, (charged.get(name) ?? 0) + cost);
  return charged;
}

/** A decision that nobody waits for: it lets go on, and says what it would have been. */
export function onTrial(decision: Decision): Decision {
  const { allowed, dryRun, rule, stage } = decision;
  const would: DryRun = {
    action: stage === "rego" ? "REGO" : stage === "quota" ? "QUOTA" : "DENY",
    result: "denied",
    ...(rule !== undefined && { policy: rule.policy }),
    ...(rule?.rule !== undefined && { rule: rule.rule }),
  };
  return {
    ...decision,
    allowed: true,
    code: grpcCode.ok,
    httpStatus: 200,
    stage: "none",
    reason: "not_denied",
    rule: undefined,
    body: "",
    edits: noEdits,
    dryRun: allowed ? dryRun : [...dryRun, would],
    obligations: [],
  };
}

/** ext_authz's decision: all that it changes has been changed by Envoy already. */
export function decisionOf(
  { decisionId, obligations, auth }: CarriedOver,
  attributes: Attributes,
  workload: Workload | undefined,
  generation: number,
): Decision {
  return {
    decisionId,
    allowed: true,
    code: grpcCode.ok,
    httpStatus: 200,
    stage: "none",
    reason: "not_denied",
    rule: undefined,
    body: "",
    edits: noEdits,
    metadata: undefined,
    dryRun: [],
    audit: undefined,
    quota: noQuota,
    failedOpen: false,
    obligations,
    attributes: auth === undefined || auth === "unknown" ? attributes : { ...attributes, auth },
    authn: undefined,
    generation,
    workload,
  };
}
