import type { Attributes } from "../attributes/index.js";
import type { Predicate } from "../matchers/index.js";
import { compileRbacPolicy } from "./compile.js";
import type { Rbac, RbacAction } from "./model.js";
import type { Obliging } from "./obligations.js";

/** Which rule it was, as the decision record and Istio's policy ids name it. */
export interface RuleRef {
  /** The policy id as Envoy would report it, e.g. `ns[foo]-policy[httpbin]-rule[0]`. */
  readonly key: string;
  /** `NAMESPACE/NAME` of the resource. */
  readonly policy: string;
  /** Index among the resource's rules; undefined for a policy that is not made of rules. */
  readonly rule: number | undefined;
}

/** One rule, ready to be asked. */
export interface CompiledRule {
  readonly ref: RuleRef;
  readonly matches: Predicate<Attributes>;
}

/** Rules under one action: ALLOW refuses when none matches, DENY when one does, LOG never. */
export interface RuleSet {
  readonly action: RbacAction;
  /** Sorted by key, so that the first that matches is the one Envoy reports. */
  readonly rules: readonly CompiledRule[];
}

/** One RBAC filter of stage 4, as Envoy would run it. */
export interface RbacFilter {
  /** Undefined: nothing is enforced, which for ALLOW is not the same as no rule. */
  readonly enforced: RuleSet | undefined;
  /** Evaluated beside, reported, never enforced. */
  readonly shadow: RuleSet | undefined;
  /** Policies of `enforced` that ask for more than to pass; absent where none does. */
  readonly obliging?: readonly Obliging[];
}

/** Sorts rules as Envoy's map of policies does: by the bytes of their keys. */
export function sortRules(rules: readonly CompiledRule[]): readonly CompiledRule[] {
  return [...rules].sort((a, b) => (a.ref.key < b.ref.key ? -1 : a.ref.key > b.ref.key ? 1 : 0));
}

/**
 * The rules of a whole RBAC model; `rule` is the index of the policy's key in string order. `policyOf` names
 * the resource that a key stands for, as `NAMESPACE/NAME`.
 */
export function compileRbac(rbac: Rbac, policyOf: (key: string) => string): RuleSet {
  const keys = Object.keys(rbac.policies).sort();
  const rules = keys.map((key, rule): CompiledRule => {
    const model = rbac.policies[key] ?? { permissions: [], principals: [] };
    return { ref: { key, policy: policyOf(key), rule }, matches: compileRbacPolicy(model) };
  });
  return { action: rbac.action, rules };
}
