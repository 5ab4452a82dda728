import type { Attributes, Workload } from "../attributes/index.js";
import type { AuthnReason, AuthnRecord } from "../authn/index.js";
import type { QuotaFact } from "../quota/index.js";
import type { RuleRef } from "../rbac/index.js";
import { type Edits, noEdits } from "./edits.js";

/** Where in the pipeline the answer was found. */
export type Stage =
  | "guard"
  | "select"
  | "custom"
  | "authn"
  | "authorize"
  | "rego"
  | "quota"
  /** Rules over bodies and responses, on ext_proc. */
  | "body"
  | "none"
  | "internal";

/** Why; a closed set, so that it can be a label. */
export type Reason =
  | "no_policy"
  | "allowed_by_policy"
  | "not_denied"
  | "denied_by_policy"
  | "no_allow_policy_matched"
  | "policy_failed"
  | "quota_exceeded"
  | "quota_unavailable"
  | "unknown_workload"
  | "provider_allowed"
  | "provider_denied"
  | "provider_unknown"
  | "provider_failed"
  | "ambiguous_request"
  | "bad_request"
  | "untrusted_caller"
  | "bad_edit"
  | "invalid_config"
  | "internal_error"
  /** Records are strict, and this one could not be kept. */
  | "unrecorded"
  | BodyReason
  | AuthnReason;

/** Why a rule over a body or response refuses, beside `denied_by_policy` and `policy_failed`. */
export type BodyReason =
  /** Longer than the policy's `maxBytes`. */
  | "body_too_large"
  /** Of a media type that the policy does not take. */
  | "body_type"
  /** Encoded where it may not be, in an unknown way, or grows too much when it is decoded. */
  | "body_encoding"
  /** No JSON, form, multipart or message where one has to be. */
  | "body_malformed"
  /** Well-formed, but against the policy's schema, depth or keys. */
  | "body_invalid"
  /** A detector found what may not pass. */
  | "sensitive_data"
  /** Envoy did not send the body that a policy has to see. */
  | "body_not_sent"
  /** This process holds as many bytes of bodies as it may. */
  | "body_no_room"
  /** A decision names a BodyPolicy that there is not. */
  | "unknown_obligation";

/** The gRPC codes that stand in decisions and verdicts (google.rpc.Code). */
export const grpcCode = {
  ok: 0,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** What a shadow rule set or a dry-run policy would have said. */
export interface DryRun {
  readonly action: "ALLOW" | "DENY" | "REGO" | "QUOTA";
  readonly result: "allowed" | "denied";
  /** The rule that matched, if one did; of REGO and QUOTA the resource. */
  readonly policy?: string;
  readonly rule?: number;
}

/** Nothing was tried. */
export const noDryRun: readonly DryRun[] = [];

/** The part of a decision that a stage finds; the rest is the same for all. */
export interface Outcome {
  readonly allowed: boolean;
  /** google.rpc.Code; 0 exactly when allowed. */
  readonly code: number;
  /** 200 when allowed. */
  readonly httpStatus: number;
  readonly stage: Stage;
  readonly reason: Reason;
  /** The rule that decided; an ALLOW miss has none. */
  readonly rule: RuleRef | undefined;
  /** Of a refusal; never names a policy. */
  readonly body: string;
  readonly edits: Edits;
  /** A provider's own keys for the dynamic metadata. */
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
}

/** What `check` answers. A value, never an exception. */
export interface Decision extends Outcome {
  readonly decisionId: string;
  readonly dryRun: readonly DryRun[];
  /** Whether an AUDIT policy matched; undefined without one. */
  readonly audit: boolean | undefined;
  /** What quotas took of this request, and what the caller is told of it beside `edits`. */
  readonly quota: {
    /** In the order of the quotas; those on trial are in `dryRun`. */
    readonly facts: readonly QuotaFact[];
    /** Of the answer to the caller; put in place of what is there. */
    readonly headers: readonly (readonly [name: string, value: string])[];
  };
  readonly failedOpen: boolean;
  /** BodyPolicies that the policies ask for, `NAMESPACE/NAME`, sorted, each once; of what is allowed only. */
  readonly obligations: readonly string[];
  /** The request as the stages left it, undefined when it did not come to them. */
  readonly attributes: Attributes | undefined;
  /** Which identity the request has and which credentials were refused; undefined when it showed none. */
  readonly authn: AuthnRecord | undefined;
  /** Whose policies were asked; undefined where it is unknown or was not looked at. */
  readonly workload: Workload | undefined;
  /** Generation of the snapshot that decided, 0 without one. */
  readonly generation: number;
}

/** The body of Istio's own refusals. */
const deniedBody = "RBAC: access denied";

/** Goes on to the upstream. */
export function allow(stage: Stage, reason: Reason, rule?: RuleRef): Outcome {
  return {
    allowed: true,
    code: grpcCode.ok,
    httpStatus: 200,
    stage,
    reason,
    rule,
    body: "",
    edits: noEdits,
    metadata: undefined,
  };
}

/** PERMISSION_DENIED with 403 and Istio's body. */
export function deny(stage: Stage, reason: Reason, rule?: RuleRef): Outcome {
  return {
    allowed: false,
    code: grpcCode.permissionDenied,
    httpStatus: 403,
    stage,
    reason,
    rule,
    body: deniedBody,
    edits: noEdits,
    metadata: undefined,
  };
}

/** INTERNAL with 500: we could not decide, so nothing goes on. */
export function fail(reason: Reason): Outcome {
  return { ...deny("internal", reason), code: grpcCode.internal, httpStatus: 500, body: "" };
}
