import type { Attributes } from "../attributes/index.js";
import { type ConfigUpdate, meshOf, type Origin, trustDomainsOf } from "../config/index.js";
import type { Decision } from "../engine/index.js";
import {
  type AuthorizationPolicy,
  isMeshWide,
  nearestMiss,
  policyNamespaces,
  selects,
} from "../istio/index.js";
import { locate } from "./locate.js";
import { writtenPolicies } from "./policies.js";

/** The rule that came closest to allowing a request, and the one condition that it missed. */
export interface Miss {
  /** `NAMESPACE/NAME`. */
  readonly policy: string;
  readonly rule: number;
  /** From the rule on, e.g. `to[0].operation.methods`. */
  readonly condition: string;
  readonly file: string;
  /** Of the condition. */
  readonly line: number;
}

/** Where the rule stands that decided. */
export function placeOfDecision({ rule, stage }: Decision, { upserts }: ConfigUpdate): Origin | undefined {
  if (rule === undefined) return undefined;
  if (rule.rule === undefined) {
    const kind = stage === "quota" ? "Quota" : "RegoPolicy";
    const policy = upserts.find((one) => one.kind === kind && `${one.namespace}/${one.name}` === rule.policy);
    return policy?.origin;
  }
  // Only Istio's rules have such ids; Envoy's own have the key that they were written with.
  const isIstio = rule.key.includes("ns[");
  const resource = upserts.find(
    (one) =>
      `${one.namespace}/${one.name}` === rule.policy && isIstio === (one.kind === "AuthorizationPolicy"),
  );
  if (resource === undefined) return undefined;
  const path = isIstio ? ["spec", "rules", rule.rule] : ["spec", "rules", "policies", rule.key];
  return locate(resource.origin, path);
}

/** The nearest miss of a request that no ALLOW policy allowed; null when something else decided. */
export function explain(decision: Decision, attributes: Attributes, update: ConfigUpdate): Miss | null {
  if (decision.reason !== "no_allow_policy_matched") return null;
  const mesh = meshOf(update.upserts);
  const { rootNamespace } = mesh;
  const { workload } = decision;
  const applies = (policy: AuthorizationPolicy): boolean =>
    workload === undefined
      ? isMeshWide(policy, rootNamespace)
      : policyNamespaces(workload, rootNamespace).has(policy.namespace) &&
        selects(policy, workload, rootNamespace);
  const policies = writtenPolicies(update).filter(({ policy }) => applies(policy));
  const miss = nearestMiss(
    policies.map(({ policy }) => policy),
    attributes,
    trustDomainsOf(mesh),
  );
  const origin = policies.find(({ policy }) => `${policy.namespace}/${policy.name}` === miss?.policy)
    ?.resource.origin;
  if (miss === undefined || origin === undefined) return null;
  const { policy, rule, condition, path } = miss;
  return { policy, rule, condition, ...locate(origin, path) };
}
