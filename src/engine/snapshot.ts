import type { Attributes, IpRange, Workload } from "../attributes/index.js";
import type { Authentication } from "../authn/index.js";
import type { QuotaStage } from "../quota/index.js";
import type { RateLimits } from "../ratelimit/index.js";
import type { CompiledRule, RbacFilter, RuleRef } from "../rbac/index.js";
import type { Provider } from "./provider.js";

/** The CUSTOM rules of one provider. */
export interface CustomFilter {
  readonly providerName: string;
  /** Undefined when the provider is unknown or may not be asked: then a match refuses. */
  readonly provider: Provider | undefined;
  readonly rules: readonly CompiledRule[];
}

/** A policy of ours, attached to workloads by its own selector. */
export interface OwnPolicy {
  readonly ref: RuleRef;
  readonly provider: Provider;
}

/** All that is asked for one workload and one protocol, in order. */
export interface Chain {
  readonly custom: readonly CustomFilter[];
  /** Undefined: nobody says how callers show who they are, so all are anonymous. */
  readonly authn: Authentication | undefined;
  readonly filters: readonly RbacFilter[];
  /** All must allow; the first that refuses answers. */
  readonly own: readonly OwnPolicy[];
  /** Asked when all others let the request pass; undefined: there is no quota. */
  readonly quota: QuotaStage | undefined;
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

/** Headers by which proxies in front say whose certificate they saw. */
export type ClientCertHeader = "x-forwarded-client-cert" | "client-cert";

/** Which headers name the caller, and who may send them. */
export interface ClientCertHeaders {
  /** The first that is present counts. */
  readonly headers: readonly ClientCertHeader[];
  /** Addresses of TCP peers that are believed. */
  readonly trustedRanges: readonly IpRange[];
  /** SPIFFE ids of TCP peers that are believed, whole. */
  readonly trustedIds: readonly string[];
}

/** The parts of the Mesh that a decision reads. */
export interface MeshSettings {
  readonly unknownWorkload: "refuseIfScoped" | "meshPolicies" | "deny";
  readonly strictRequests: boolean;
  /** The caller is verified before CUSTOM rules are asked, not after. */
  readonly customSeesIdentity: boolean;
  /** Under which key of its metadata Envoy's own jwt_authn filter leaves the payload; undefined: not trusted. */
  readonly envoyJwtPayloadKey: string | undefined;
  readonly xff: XffSettings;
  readonly xffPerType: Readonly<Partial<Record<Workload["type"], Partial<XffSettings>>>>;
  readonly defaultWorkload: Workload | undefined;
  /** Undefined: no header says who the caller is. */
  readonly clientCertHeaders?: ClientCertHeaders | undefined;
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
  /** What Envoy's rate limit service answers by. */
  readonly rateLimits: RateLimits;
}
