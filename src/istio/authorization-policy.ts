import type { Selector, TargetRef } from "../documents/index.js";

/**
 * `security.istio.io` AuthorizationPolicy after validation: every list that the author left out or left empty
 * is empty here, every value has its type. Field names are Istio's.
 */
export interface AuthorizationPolicy {
  readonly namespace: string;
  readonly name: string;
  /** From the annotation `istio.io/dry-run`. */
  readonly dryRun: boolean;
  /** BodyPolicies from the annotation `gatehouse.dev/obligations`, `NAMESPACE/NAME`, sorted; of ALLOW and AUDIT. */
  readonly obligations: readonly string[];
  readonly action: "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";
  /** Name in `Mesh.spec.extensionProviders`; set exactly for CUSTOM. */
  readonly provider: string | undefined;
  readonly selector: Selector | undefined;
  readonly targetRefs: readonly TargetRef[];
  readonly rules: readonly Rule[];
}

/** Matches when some `from`, some `to` and every `when` hold; an empty list holds. */
export interface Rule {
  readonly from: readonly Source[];
  readonly to: readonly Operation[];
  readonly when: readonly Condition[];
}

/** The fields of `from[].source`. */
export const sourceFields = [
  "principals",
  "notPrincipals",
  "requestPrincipals",
  "notRequestPrincipals",
  "serviceAccounts",
  "notServiceAccounts",
  "trustDomains",
  "notTrustDomains",
  "namespaces",
  "notNamespaces",
  "remoteIpBlocks",
  "notRemoteIpBlocks",
  "ipBlocks",
  "notIpBlocks",
] as const;

/** The fields of `to[].operation`. */
export const operationFields = [
  "hosts",
  "notHosts",
  "methods",
  "notMethods",
  "paths",
  "notPaths",
  "ports",
  "notPorts",
] as const;

/** Values by field; a field that is not given is undefined. All that are given must hold. */
export type Source = Readonly<Partial<Record<(typeof sourceFields)[number], readonly string[]>>>;
/** Values by field of `to[].operation`; as in a Source all that are given must hold. */
export type Operation = Readonly<Partial<Record<(typeof operationFields)[number], readonly string[]>>>;

/** Holds when some of `values` match (or none is given) and none of `notValues` does. */
export interface Condition {
  readonly key: string;
  readonly values: readonly string[];
  readonly notValues: readonly string[];
}
