import type { Attributes, Workload } from "../attributes/index.js";
import type { CompiledRule, RbacFilter } from "../rbac/index.js";
import type { Provider } from "./provider.js";

/** The CUSTOM rules of one provider. */
export interface CustomFilter {
  readonly providerName: string;
  /** Undefined when the provider is unknown or may not be asked: then a match refuses. */
  readonly provider: Provider | undefined;
  readonly rules: readonly CompiledRule[];
}

/** All that is asked for one workload and one protocol, in order. */
export interface Chain {
  readonly custom: readonly CustomFilter[];
  readonly filters: readonly RbacFilter[];
}

/** What applies to one workload. */
export interface Plan {
  readonly http: Chain;
  readonly tcp: Chain;
}

/** How X-Forwarded-For is to be read, equal to the listener's settings. */
export interface XffSettings {
  readonly useRemoteAddress: boolean;
  readonly numTrustedHops: number;
}

/** The parts of the Mesh that a decision reads. */
export interface MeshSettings {
  readonly unknownWorkload: "refuseIfScoped" | "meshPolicies" | "deny";
  readonly strictRequests: boolean;
  readonly xff: XffSettings;
  readonly xffPerType: Readonly<Partial<Record<Workload["type"], Partial<XffSettings>>>>;
  readonly defaultWorkload: Workload | undefined;
}

/**
 * Everything that decides, at one moment. Immutable: a request reads it once and keeps it to its end; a
 * reload makes a new one.
 */
export interface Snapshot {
  /** Counts up with every configuration that came into force; goes into the decision record. */
  readonly generation: number;
  readonly mesh: MeshSettings;
  /**
   * Policies scoped to a namespace or by a selector exist, so that a request whose workload is unknown cannot
   * be judged.
   */
  readonly scoped: boolean;
  /** The workload that the registry knows under the request's destination principal or address. */
  readonly lookup: (attributes: Attributes) => Workload | undefined;
  /**
   * What applies; remembered per workload. Undefined workload: the mesh-wide policies of the root namespace.
   */
  readonly plan: (workload: Workload | undefined) => Plan;
}
