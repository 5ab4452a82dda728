import { type Attributes, toBytes } from "../attributes/index.js";
import type { RefusedCredential } from "../authn/index.js";
import type { Decision, DryRun } from "../engine/index.js";
import type { QuotaFact } from "../quota/index.js";
import { brief, briefCopy } from "./brief.js";

/** One decision as `/decisions` shows it: nothing secret is in it, so it may leave the process. */
export interface DecisionRecord {
  /** When it was decided, milliseconds since the epoch. */
  readonly time: number;
  readonly decision_id: string;
  readonly allowed: boolean;
  /** gRPC code. */
  readonly code: number;
  readonly stage: string;
  /** `NAMESPACE/NAME` of the policy that decided, null when none did. */
  readonly policy: string | null;
  /** Index in the policy's rules. */
  readonly rule: number | null;
  readonly reason: string;
  readonly dry_run: readonly DryRun[];
  /** What quotas took; empty where none was asked. */
  readonly quota: readonly QuotaTake[];
  readonly failed_open: boolean;
  /** BodyPolicies that the decision asks for, `NAMESPACE/NAME`. */
  readonly obligations: readonly string[];
  /** Generation of the configuration that decided, 0 without one. */
  readonly snapshot: number;
  readonly duration_ms: number;
  readonly protocol: "http" | "tcp" | null;
  readonly method: string | null;
  readonly host: string | null;
  /** Without query. */
  readonly path: string | null;
  readonly source_ip: string | null;
  readonly source_principal: string | null;
  /** `ISSUER/SUBJECT` of the verified credential. */
  readonly request_principal: string | null;
  /** How the caller showed who it is. */
  readonly authn_method: string | null;
  /** Credentials that were not taken, and why. */
  readonly authn_refused: readonly RefusedCredential[];
  readonly destination_namespace: string | null;
  readonly destination_workload: string | null;
}

/** What one quota took of a request. */
export interface QuotaTake {
  /** `NAMESPACE/NAME`. */
  readonly quota: string;
  readonly cost: number;
  readonly limit: number;
  readonly remaining: number;
}

/** What a decision was about. */
export interface CheckObservation {
  readonly decision: Decision;
  /** Undefined when the request could not be read. */
  readonly attributes: Attributes | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly durationMs: number;
}

/** The record of a decision; holds copies of short texts only, so that it keeps no request alive. */
export function recordOf({ decision, attributes, now, durationMs }: CheckObservation): DecisionRecord {
  const request = attributes?.request;
  return {
    time: now,
    decision_id: decision.decisionId,
    allowed: decision.allowed,
    code: decision.code,
    stage: decision.stage,
    policy: decision.rule?.policy ?? null,
    rule: decision.rule?.rule ?? null,
    reason: decision.reason,
    dry_run: decision.dryRun,
    quota: decision.quota.facts.length === 0 ? noneTaken : decision.quota.facts.map(takeOf),
    failed_open: decision.failedOpen,
    obligations: decision.obligations,
    snapshot: decision.generation,
    duration_ms: Math.round(durationMs * 1000) / 1000,
    protocol: attributes?.protocol ?? null,
    method: brief(request?.method),
    host: brief(request?.host),
    path: request === undefined ? null : briefCopy(request.urlPath),
    source_ip: attributes?.source.ip?.text ?? null,
    source_principal: attributes === undefined ? null : briefCopy(attributes.source.principal),
    request_principal: decision.authn?.principal ? brief(toBytes(decision.authn.principal)) : null,
    authn_method: decision.authn?.method ?? null,
    authn_refused: decision.authn?.refused ?? noneRefused,
    destination_namespace: decision.workload?.namespace ?? null,
    destination_workload: decision.workload?.name ?? null,
  };
}

const noneRefused: readonly RefusedCredential[] = [];
const noneTaken: readonly QuotaTake[] = [];

function takeOf({ quota, cost, limit, counter }: QuotaFact): QuotaTake {
  return { quota, cost, limit, remaining: counter.remaining };
}
