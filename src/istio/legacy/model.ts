import type { AuthorizationPolicy } from "../authorization-policy.js";

/** A validated document of `rbac.istio.io/v1alpha1`. Lists that the author left out are empty. */
export type LegacyResource = ServiceRole | ServiceRoleBinding | RbacConfig | EarlyAuthorizationPolicy;

/** What may be done; joined with its bindings by name inside one namespace. */
export interface ServiceRole {
  readonly kind: "ServiceRole";
  readonly namespace: string;
  readonly name: string;
  readonly rules: readonly AccessRule[];
}

/** All fields that are given must hold; of a list some value. */
export interface AccessRule {
  /** Host names of the destination service; resolved when translating, not on the request. */
  readonly services: readonly string[];
  readonly hosts: readonly string[];
  readonly notHosts: readonly string[];
  /** Compared with `:path`, query included. */
  readonly paths: readonly string[];
  readonly notPaths: readonly string[];
  readonly methods: readonly string[];
  readonly notMethods: readonly string[];
  readonly ports: readonly number[];
  readonly notPorts: readonly number[];
  readonly constraints: readonly Constraint[];
}

/** A condition on an attribute that AccessRule has no field for; some value must match. */
export interface Constraint {
  readonly key: string;
  readonly values: readonly string[];
}

/** Who may do it. */
export interface ServiceRoleBinding {
  readonly kind: "ServiceRoleBinding";
  readonly namespace: string;
  readonly name: string;
  /** Name of a ServiceRole in the same namespace, or the rules themselves. */
  readonly role: string | readonly AccessRule[];
  readonly permissive: boolean;
  readonly subjects: readonly Subject[];
}

/** All fields that are given must hold; an empty `user` or `group` is not given. */
export interface Subject {
  readonly user: string;
  readonly group: string;
  readonly names: readonly string[];
  readonly notNames: readonly string[];
  readonly groups: readonly string[];
  readonly notGroups: readonly string[];
  readonly namespaces: readonly string[];
  readonly notNamespaces: readonly string[];
  readonly ips: readonly string[];
  readonly notIps: readonly string[];
  readonly properties: readonly (readonly [key: string, value: string])[];
}

/** Where the roles count. */
export interface RbacConfig {
  readonly kind: "RbacConfig" | "ClusterRbacConfig";
  readonly mode: "OFF" | "ON" | "ON_WITH_INCLUSION" | "ON_WITH_EXCLUSION";
  readonly inclusion: Target;
  readonly exclusion: Target;
  /** Nothing is enforced, all is evaluated beside. */
  readonly permissive: boolean;
}

/** Exact names; `services` are host names. */
export interface Target {
  readonly services: readonly string[];
  readonly namespaces: readonly string[];
}

/** The form that AuthorizationPolicy had before `security.istio.io`, as what it equals there. */
export interface EarlyAuthorizationPolicy {
  readonly kind: "AuthorizationPolicy";
  readonly policies: readonly AuthorizationPolicy[];
}
