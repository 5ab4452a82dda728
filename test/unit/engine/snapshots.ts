import type { Authentication } from "../../../src/authn/index.js";
import {
  type Chain,
  noEdits,
  type Provider,
  type Snapshot,
  type Verdict,
} from "../../../src/engine/index.js";
import {
  type AuthorizationPolicy,
  compileAuthorizationPolicy,
  planAuthorization,
} from "../../../src/istio/index.js";
import { noRateLimits } from "../../support/no-rate-limits.js";
import { aWorkload } from "../../support/request.js";
import { meshDomain } from "../istio/policies.js";

/** What a snapshot is made of in a test. */
export interface Setup {
  readonly policies?: readonly AuthorizationPolicy[];
  /** Of every CUSTOM policy. */
  readonly provider?: Provider | undefined;
  /** Asked after the policies. */
  readonly own?: Chain["own"];
  /** Of HTTP requests. */
  readonly authn?: Authentication | undefined;
  readonly mesh?: Partial<Snapshot["mesh"]>;
  /** Asked last. */
  readonly quota?: Chain["quota"];
  readonly scoped?: boolean;
  readonly lookup?: Snapshot["lookup"];
}

/** A snapshot of generation 7 in which these policies apply to every workload. */
export function aSnapshot({
  policies = [],
  provider,
  own = [],
  authn,
  mesh,
  quota,
  scoped = true,
  lookup,
}: Setup = {}): Snapshot {
  const compiled = policies.map((policy) => compileAuthorizationPolicy(policy, meshDomain));
  const chain = (protocol: "http" | "tcp"): Chain => {
    const { custom, filters } = planAuthorization(compiled, protocol);
    return {
      filters,
      own,
      quota,
      authn: protocol === "http" ? authn : undefined,
      custom: custom.map(({ provider: providerName, rules }) => ({ providerName, provider, rules })),
    };
  };
  const plan = { http: chain("http"), tcp: chain("tcp") };
  return {
    generation: 7,
    mesh: {
      unknownWorkload: "refuseIfScoped",
      strictRequests: false,
      customSeesIdentity: false,
      envoyJwtPayloadKey: undefined,
      xff: { useRemoteAddress: false, numTrustedHops: 0 },
      xffPerType: {},
      defaultWorkload: aWorkload(),
      ...mesh,
    },
    scoped,
    lookup: lookup ?? (() => undefined),
    plan: () => plan,
    rateLimits: noRateLimits,
  };
}

/** A provider's answer: allowed and nothing to change, until told otherwise. */
export function verdict(changes: Partial<Verdict> = {}): Verdict {
  return {
    allowed: true,
    httpStatus: 200,
    code: 0,
    body: "",
    edits: noEdits,
    metadata: undefined,
    failedOpen: false,
    failed: false,
    ...changes,
  };
}
