import type { QuotaFact, QuotaOutcome, QuotaStage } from "../quota/index.js";
import type { RuleRef } from "../rbac/index.js";
import { type DryRun, deny, grpcCode, noDryRun, type Outcome } from "./decision.js";

/** What the stage quota adds to a decision. */
export interface QuotaTaken {
  /** Undefined: no quota refuses. */
  readonly refused: Outcome | undefined;
  /** For the caller, on what passes and on a refusal: how much is left. Names and values may be sent as they are. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly facts: readonly QuotaFact[];
  readonly dryRun: readonly DryRun[];
  readonly failedOpen: boolean;
}

/** No quota was asked. */
export const noQuota: QuotaTaken = {
  refused: undefined,
  headers: [],
  facts: [],
  dryRun: noDryRun,
  failedOpen: false,
};

/** The outcome of quotas as the engine's decision has it. Refusals are RESOURCE_EXHAUSTED; their bodies name no quota. */
export function quotaTaken(
  stage: QuotaStage,
  { refused, headers, facts, dryRun, failedOpen }: QuotaOutcome,
): QuotaTaken {
  return {
    refused: refused === undefined ? undefined : refusal(stage, refused),
    headers,
    facts,
    dryRun:
      dryRun.length === 0
        ? noDryRun
        : dryRun.map(({ quota, result }) => ({ action: "QUOTA", result, policy: quota })),
    failedOpen,
  };
}

function refusal(
  stage: QuotaStage,
  { quota, reason, status, body }: NonNullable<QuotaOutcome["refused"]>,
): Outcome {
  const isOver = reason === "over_limit";
  return {
    ...deny("quota", isOver ? "quota_exceeded" : "quota_unavailable", ruleOf(stage, quota)),
    code: isOver ? grpcCode.resourceExhausted : grpcCode.unavailable,
    httpStatus: status,
    body,
  };
}

/** The same object for the same quota, since answers are remembered by it. */
const rules = new WeakMap<QuotaStage, Map<string, RuleRef>>();

function ruleOf(stage: QuotaStage, quota: string): RuleRef {
  const known = rules.get(stage) ?? new Map<string, RuleRef>();
  rules.set(stage, known);
  const rule = known.get(quota) ?? { key: quota, policy: quota, rule: undefined };
  known.set(quota, rule);
  return rule;
}
