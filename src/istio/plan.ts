import { type CompiledRule, type Obliging, type RbacFilter, type RuleSet, sortRules } from "../rbac/index.js";
import type { CompiledAuthorizationPolicy } from "./compile.js";
import type { Protocol } from "./translate.js";

/** The CUSTOM rules of one provider. */
export interface CustomRules {
  readonly provider: string;
  readonly rules: readonly CompiledRule[];
}

/** What the selected policies of a workload amount to on one protocol. */
export interface AuthorizationPlan {
  /** By provider's name, in string order. */
  readonly custom: readonly CustomRules[];
  /** AUDIT, DENY, ALLOW, each only if there is a policy of it. */
  readonly filters: readonly RbacFilter[];
}

const order = [
  ["AUDIT", "LOG"],
  ["DENY", "DENY"],
  ["ALLOW", "ALLOW"],
] as const;

/** Joins policies of one action to one filter, as Istio does: an OR over all rules of all of them. */
export function planAuthorization(
  selected: readonly CompiledAuthorizationPolicy[],
  protocol: Protocol,
): AuthorizationPlan {
  const filters = order.flatMap(([action, rbacAction]): RbacFilter[] => {
    const policies = selected.filter(({ policy }) => policy.action === action);
    if (policies.length === 0) return [];
    const ruleSet = (dryRun: boolean): RuleSet | undefined => {
      const some = policies.filter(({ policy }) => policy.dryRun === dryRun);
      if (some.length === 0) return undefined;
      return { action: rbacAction, rules: sortRules(some.flatMap((compiled) => compiled[protocol])) };
    };
    const obliging = obligingOf(policies, protocol);
    return [{ enforced: ruleSet(false), shadow: ruleSet(true), ...(obliging.length > 0 && { obliging }) }];
  });
  return { custom: customRules(selected, protocol), filters };
}

/** What is on trial asks for nothing. */
function obligingOf(policies: readonly CompiledAuthorizationPolicy[], protocol: Protocol): Obliging[] {
  return policies
    .filter(({ policy }) => policy.obligations.length > 0 && !policy.dryRun)
    .map((compiled) => ({ obligations: compiled.policy.obligations, rules: compiled[protocol] }))
    .filter(({ rules }) => rules.length > 0);
}

function customRules(selected: readonly CompiledAuthorizationPolicy[], protocol: Protocol): CustomRules[] {
  const byProvider = new Map<string, CompiledRule[]>();
  for (const compiled of selected) {
    const { action, provider } = compiled.policy;
    if (action !== "CUSTOM" || provider === undefined) continue;
    const rules = byProvider.get(provider) ?? [];
    byProvider.set(provider, rules);
    rules.push(...compiled[protocol]);
  }
  return [...byProvider]
    .map(([provider, rules]) => ({ provider, rules: sortRules(rules) }))
    .sort((a, b) => (a.provider < b.provider ? -1 : 1));
}
