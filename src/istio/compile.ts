import { type CompiledRule, compileRbacPolicy, type Rbac, type RbacAction } from "../rbac/index.js";
import type { AuthorizationPolicy } from "./authorization-policy.js";
import type { Context } from "./conditions.js";
import { type Protocol, toRbacPolicy, translateRule } from "./translate.js";
import type { TrustDomains } from "./trust-domain.js";

/**
 * A policy ready to be asked; its rules by protocol. An ALLOW policy without rules still refuses what no
 * other allows.
 */
export interface CompiledAuthorizationPolicy {
  readonly policy: AuthorizationPolicy;
  readonly http: readonly CompiledRule[];
  readonly tcp: readonly CompiledRule[];
}

/** Envoy's action for Istio's; CUSTOM matches like a DENY. */
const actions = { ALLOW: "ALLOW", DENY: "DENY", AUDIT: "LOG", CUSTOM: "DENY" } as const;

/** Translates and compiles a validated policy. */
export function compileAuthorizationPolicy(
  policy: AuthorizationPolicy,
  trustDomains: TrustDomains,
): CompiledAuthorizationPolicy {
  const context: Context = { namespace: policy.namespace, trustDomains };
  return {
    policy,
    http: compileRules(policy, "http", context),
    tcp: compileRules(policy, "tcp", context),
  };
}

/** The policy as one RBAC filter's rules, for people and for Envoy's own filter. */
export function toRbac(policy: AuthorizationPolicy, protocol: Protocol, trustDomains: TrustDomains): Rbac {
  const context: Context = { namespace: policy.namespace, trustDomains };
  const action: RbacAction = actions[policy.action];
  const policies = policy.rules.flatMap((_, index) => {
    const parts = translateRule(policy, index, protocol, context);
    return parts === undefined ? [] : [[ruleKey(policy, index), toRbacPolicy(parts)] as const];
  });
  return { action, policies: Object.fromEntries(policies) };
}

function compileRules(policy: AuthorizationPolicy, protocol: Protocol, context: Context): CompiledRule[] {
  return policy.rules.flatMap((_, index) => {
    const parts = translateRule(policy, index, protocol, context);
    if (parts === undefined) return [];
    const ref = { key: ruleKey(policy, index), policy: `${policy.namespace}/${policy.name}`, rule: index };
    return [{ ref, matches: compileRbacPolicy(toRbacPolicy(parts)) }];
  });
}

/** Istio's id of a rule, as Envoy reports it in `rbac_access_denied_matched_policy[…]`. */
function ruleKey({ action, provider, namespace, name }: AuthorizationPolicy, index: number): string {
  const key = `ns[${namespace}]-policy[${name}]-rule[${index}]`;
  return action === "CUSTOM" ? `istio-ext-authz-${provider}-${key}` : key;
}
