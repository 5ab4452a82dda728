import type { Attributes } from "../attributes/index.js";
import {
  type CompiledRule,
  joinObligations,
  noObligations,
  type RbacFilter,
  type RuleRef,
  type RuleSet,
} from "../rbac/index.js";
import { allow, type DryRun, deny, noDryRun, type Outcome } from "./decision.js";

/** What the RBAC filters say of a request, with what their shadow rules would have said. */
export interface Authorization {
  readonly outcome: Outcome;
  readonly dryRun: readonly DryRun[];
  readonly audit: boolean | undefined;
  /** Of what is not refused. */
  readonly obligations: readonly string[];
}

const noPolicy: Outcome = allow("none", "no_policy");
const notRefused: Outcome = allow("authorize", "not_denied");

/**
 * Runs the filters in order. The first that refuses ends it; filters behind it are not asked, as in Envoy's
 * chain.
 */
export function authorize(filters: readonly RbacFilter[], attributes: Attributes): Authorization {
  let dryRun = noDryRun;
  let audit: boolean | undefined;
  let allowedBy: RuleRef | undefined;
  let enforced = false;
  for (const { enforced: ruleSet, shadow } of filters) {
    if (shadow !== undefined && shadow.action !== "LOG") dryRun = [...dryRun, dryRunOf(shadow, attributes)];
    if (ruleSet === undefined) continue;
    const match = firstMatch(ruleSet.rules, attributes);
    if (ruleSet.action === "LOG") {
      audit = audit === true || match !== undefined;
      continue;
    }
    enforced = true;
    if (ruleSet.action === "DENY") {
      if (match !== undefined)
        return refused(deny("authorize", "denied_by_policy", match.ref), dryRun, audit);
    } else if (match === undefined) {
      return refused(deny("authorize", "no_allow_policy_matched"), dryRun, audit);
    } else {
      allowedBy = match.ref;
    }
  }
  const obligations = obligationsOf(filters, attributes);
  if (allowedBy !== undefined)
    return { outcome: allow("authorize", "allowed_by_policy", allowedBy), dryRun, audit, obligations };
  return { outcome: enforced ? notRefused : noPolicy, dryRun, audit, obligations };
}

function refused(outcome: Outcome, dryRun: readonly DryRun[], audit: boolean | undefined): Authorization {
  return { outcome, dryRun, audit, obligations: noObligations };
}

/** Of all policies that match, not only of the one that decides: one policy more never means less of them. */
function obligationsOf(filters: readonly RbacFilter[], attributes: Attributes): readonly string[] {
  let found = noObligations;
  for (const { obliging } of filters) {
    if (obliging === undefined) continue;
    for (const { obligations, rules } of obliging) {
      if (firstMatch(rules, attributes) !== undefined) found = joinObligations(found, obligations);
    }
  }
  return found;
}

/** The rule that Envoy would report: the first that matches, in the order of keys. */
export function firstMatch(rules: readonly CompiledRule[], attributes: Attributes): CompiledRule | undefined {
  for (const rule of rules) if (rule.matches(attributes)) return rule;
  return undefined;
}

function ruleOf({ rule }: RuleRef): { readonly rule?: number } {
  return rule === undefined ? {} : { rule };
}

function dryRunOf({ action, rules }: RuleSet, attributes: Attributes): DryRun {
  const match = firstMatch(rules, attributes);
  const result = (action === "ALLOW") === (match !== undefined) ? "allowed" : "denied";
  const of = action === "ALLOW" ? "ALLOW" : "DENY";
  return match === undefined
    ? { action: of, result }
    : { action: of, result, policy: match.ref.policy, ...ruleOf(match.ref) };
}
