/** What the policies in force need of Envoy. Without it, what some policy could need is a finding. */
export interface PolicyFacts {
  /** Lower-case names of headers that policies read. */
  readonly readsHeaders: ReadonlySet<string>;
  /** Rego and external providers see all headers, and may read any. */
  readonly readsAnyHeader: boolean;
  readonly readsSourceIp: boolean;
  /** Principals, namespaces or service accounts of the peer. */
  readonly readsPeer: boolean;
  /** There is a BodyPolicy. */
  readonly hasBodyPolicies: boolean;
  /**
   * The BodyPolicies that are not on trial (`dryRun`), as NAMESPACE/NAME; `onObligation`: it acts only where a
   * decision names it.
   */
  readonly bodyPolicies: readonly { readonly name: string; readonly onObligation: boolean }[];
  /** The largest body of a request that a BodyPolicy wants to see. */
  readonly maxBodyBytes: number | undefined;
  /** The same of responses that are seen whole. */
  readonly maxResponseBytes: number | undefined;
  /** `Mesh.spec.trustEnvoyJwt`. */
  readonly trustsEnvoyJwt: boolean;
  /** `Mesh.spec.xff` as far as it is for every workload; undefined when it depends on the workload. */
  readonly xff: { readonly useRemoteAddress: boolean; readonly numTrustedHops: number } | undefined;
}
