import { toBytes, type Workload } from "../attributes/index.js";
import type { JwtRule } from "../authn/index.js";
import type { RequestAuthentication } from "./request-authentication.js";
import { policyNamespaces } from "./select.js";

/**
 * The rules of a workload in Istio's order, which decides what several tokens amount to: those of the
 * workload's own namespace, of the root namespace, of the namespaces of the services that a waypoint serves;
 * within one by the policy's name; then all by issuer, stable. `selected` has only policies that apply to the
 * workload; an unknown workload has those of the root namespace.
 */
export function planAuthentication(
  selected: readonly RequestAuthentication[],
  workload: Workload | undefined,
  rootNamespace: string,
): readonly JwtRule[] {
  const own = workload === undefined ? [] : [workload.namespace];
  const others = workload === undefined ? [] : policyNamespaces(workload, rootNamespace);
  const namespaces = [...new Set([...own, rootNamespace, ...others])];
  return selected
    .map((policy) => ({ policy, rank: namespaces.indexOf(policy.namespace) }))
    .sort((a, b) => a.rank - b.rank || byBytes(a.policy.name, b.policy.name))
    .flatMap(({ policy }) => policy.rules)
    .sort((a, b) => byBytes(a.issuer, b.issuer));
}

/** As Go compares strings. */
function byBytes(a: string, b: string): number {
  const [left, right] = [toBytes(a), toBytes(b)];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
