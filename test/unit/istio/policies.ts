import type { AuthorizationPolicy, TrustDomains } from "../../../src/istio/index.js";

/** An ALLOW policy in namespace `foo` that allows nothing yet. */
export function aPolicy(overrides: Partial<AuthorizationPolicy> = {}): AuthorizationPolicy {
  return {
    namespace: "foo",
    name: "p",
    dryRun: false,
    obligations: [],
    action: "ALLOW",
    provider: undefined,
    selector: undefined,
    targetRefs: [],
    rules: [],
    ...overrides,
  };
}

/** A rule of one source, one operation and conditions, each optional. */
export function aRule(
  parts: Partial<{
    from: AuthorizationPolicy["rules"][number]["from"];
    to: AuthorizationPolicy["rules"][number]["to"];
    when: AuthorizationPolicy["rules"][number]["when"];
  }> = {},
): AuthorizationPolicy["rules"][number] {
  return { from: [], to: [], when: [], ...parts };
}

export const meshDomain: TrustDomains = { trustDomain: "cluster.local", aliases: [] };
