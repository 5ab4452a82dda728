import type { Workload } from "../../attributes/index.js";
import type { Rbac, RbacPolicy } from "../../rbac/index.js";
import type { Protocol } from "../translate.js";
import type { TrustDomains } from "../trust-domain.js";
import type { AccessRule, LegacyResource, RbacConfig, ServiceRoleBinding } from "./model.js";
import { toPermission } from "./permission.js";
import { toPrincipal } from "./principal.js";
import { servicesOf } from "./service.js";

/** One RBAC filter with action ALLOW. Policy keys are bare role names, `binding[NAME]` for inline actions. */
export interface LegacyFilter {
  /** Undefined: nothing is enforced. Without policies: all is refused. */
  readonly rules: Rbac | undefined;
  /** Undefined when nothing is PERMISSIVE. */
  readonly shadowRules: Rbac | undefined;
  /** The namespace in which the roles were looked up. */
  readonly namespace: string;
}

/** For which workload and filter to translate. */
export interface LegacyTarget {
  readonly workload: Workload;
  readonly protocol: Protocol;
  readonly trustDomains: TrustDomains;
}

/**
 * What the legacy kinds ask of one workload, or undefined when legacy RBAC is off for it. Where it is on, a
 * request that no role allows is refused.
 *
 * From Istio 1.4 on, a `security.istio.io` AuthorizationPolicy that selects the workload switches all of this
 * off for it: that is the caller's to decide, before asking here. A ClusterRbacConfig counts before an
 * RbacConfig.
 */
export function translateLegacy(
  resources: readonly LegacyResource[],
  target: LegacyTarget,
): LegacyFilter | undefined {
  const configs = resources.filter(isConfig);
  const config = configs.find((c) => c.kind === "ClusterRbacConfig") ?? configs[0];
  if (config === undefined || !isOn(config, target.workload)) return undefined;
  const { namespace } = target.workload;
  const roles = rolesOf(resources, namespace);
  const isShadow = (binding: ServiceRoleBinding): boolean => config.permissive || binding.permissive;
  const shadow = toRbac(roles, isShadow, target);
  if (config.permissive) return { rules: undefined, shadowRules: shadow, namespace };
  const rules = toRbac(roles, (binding) => !isShadow(binding), target);
  const hasShadow = Object.keys(shadow.policies).length > 0;
  return { rules, shadowRules: hasShadow ? shadow : undefined, namespace };
}

/**
 * Whether the mode covers the workload. One of several services is enough to be covered by an inclusion, all
 * are needed to be left out by an exclusion; when no service of it is known, a mode that names services
 * covers it.
 */
function isOn({ mode, inclusion, exclusion }: RbacConfig, workload: Workload): boolean {
  const hosts = servicesOf(workload).map(({ host }) => host);
  if (mode === "OFF") return false;
  if (mode === "ON") return true;
  if (mode === "ON_WITH_INCLUSION") {
    if (inclusion.namespaces.includes(workload.namespace)) return true;
    if (hosts.length === 0) return inclusion.services.length > 0;
    return hosts.some((host) => inclusion.services.includes(host));
  }
  if (exclusion.namespaces.includes(workload.namespace)) return false;
  return hosts.length === 0 || !hosts.every((host) => exclusion.services.includes(host));
}

function isConfig(resource: LegacyResource): resource is RbacConfig {
  return resource.kind === "ClusterRbacConfig" || resource.kind === "RbacConfig";
}

function isBinding(resource: LegacyResource): resource is ServiceRoleBinding {
  return resource.kind === "ServiceRoleBinding";
}

/** A role with all that are bound to it. */
interface Role {
  readonly rules: readonly AccessRule[];
  readonly bindings: readonly ServiceRoleBinding[];
}

function rolesOf(resources: readonly LegacyResource[], namespace: string): ReadonlyMap<string, Role> {
  const roles = new Map<string, Role>();
  const bindings = resources.filter(isBinding).filter((binding) => binding.namespace === namespace);
  for (const resource of resources) {
    if (resource.kind !== "ServiceRole" || resource.namespace !== namespace) continue;
    const bound = bindings.filter((binding) => binding.role === resource.name);
    roles.set(resource.name, { rules: resource.rules, bindings: bound });
  }
  for (const binding of bindings) {
    if (typeof binding.role === "string") continue;
    roles.set(`binding[${binding.name}]`, { rules: binding.role, bindings: [binding] });
  }
  return roles;
}

function toRbac(
  roles: ReadonlyMap<string, Role>,
  counts: (binding: ServiceRoleBinding) => boolean,
  target: LegacyTarget,
): Rbac {
  const policies: [string, RbacPolicy][] = [];
  for (const [name, { rules, bindings }] of roles) {
    const policy = toPolicy(rules, bindings.filter(counts), target);
    if (policy !== undefined) policies.push([name, policy]);
  }
  policies.sort(([a], [b]) => (a < b ? -1 : 1));
  return { action: "ALLOW", policies: Object.fromEntries(policies) };
}

function toPolicy(
  rules: readonly AccessRule[],
  bindings: readonly ServiceRoleBinding[],
  { workload, protocol, trustDomains }: LegacyTarget,
): RbacPolicy | undefined {
  const permissions = rules.map((rule) => toPermission(rule, workload, protocol)).filter(isDefined);
  const subjects = bindings.flatMap((binding) => binding.subjects);
  const principals = subjects
    .map((subject) => toPrincipal(subject, protocol, trustDomains))
    .filter(isDefined);
  return permissions.length === 0 || principals.length === 0 ? undefined : { permissions, principals };
}

function isDefined<Value>(value: Value | undefined): value is Value {
  return value !== undefined;
}
