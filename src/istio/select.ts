import type { Workload } from "../attributes/index.js";
import type { Selector, TargetRef } from "../documents/index.js";
import type { AuthorizationPolicy } from "./authorization-policy.js";

/** A Gateway API workload names its Gateway by this label. */
const gatewayNameLabel = "gateway.networking.k8s.io/gateway-name";

/** What decides whether a resource applies to a workload. */
export type Attachment = Pick<AuthorizationPolicy, "namespace" | "selector" | "targetRefs">;

/**
 * Namespaces whose policies can apply to a workload: the root, its own, and those of the services a waypoint
 * serves.
 */
export function policyNamespaces(workload: Workload, rootNamespace: string): ReadonlySet<string> {
  const served = workload.type === "waypoint" ? workload.services.map((service) => service.namespace) : [];
  return new Set([rootNamespace, workload.namespace, ...served]);
}

/**
 * Whether a policy applies to a workload (Istio's ShouldAttachPolicy), its namespace being one of the above.
 */
export function selects(policy: Attachment, workload: Workload, rootNamespace: string): boolean {
  const gateway = workload.labels.get(gatewayNameLabel);
  if (gateway === undefined) return policy.targetRefs.length === 0 && hasLabels(policy.selector, workload);
  if (policy.targetRefs.length === 0)
    return workload.type !== "waypoint" && hasLabels(policy.selector, workload);
  return policy.targetRefs.some((ref) => targets(ref, policy, workload, gateway, rootNamespace));
}

/** Whether a policy can apply at all where the workload is not known: it is for the whole mesh. */
export function isMeshWide(policy: Attachment, rootNamespace: string): boolean {
  return (
    policy.namespace === rootNamespace &&
    policy.targetRefs.length === 0 &&
    (policy.selector ?? []).length === 0
  );
}

function hasLabels(selector: Selector | undefined, workload: Workload): boolean {
  return (selector ?? []).every(([label, value]) => workload.labels.get(label) === value);
}

function targets(
  ref: TargetRef,
  policy: Attachment,
  workload: Workload,
  gateway: string,
  rootNamespace: string,
): boolean {
  if (workload.type === "waypoint") {
    const service = ref.group === "" || ref.group === "core" ? ref.kind === "Service" : false;
    const entry = ref.group === "networking.istio.io" && ref.kind === "ServiceEntry";
    if (service || entry) {
      return workload.services.some((s) => s.name === ref.name && s.namespace === policy.namespace);
    }
    if (ref.group === "gateway.networking.k8s.io" && ref.kind === "GatewayClass") {
      return policy.namespace === rootNamespace && ref.name === "istio-waypoint";
    }
  }
  if (policy.namespace !== workload.namespace) return false;
  if (ref.namespace !== "" && ref.namespace !== workload.namespace) return false;
  return ref.group === "gateway.networking.k8s.io" && ref.kind === "Gateway" && ref.name === gateway;
}
