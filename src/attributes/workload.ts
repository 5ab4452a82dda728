/** What stands at the destination: it decides which selectors and targetRefs apply. */
export type WorkloadType = "sidecar" | "gateway" | "waypoint";

/** A service that the workload serves. */
export interface ServiceRef {
  readonly name: string;
  readonly namespace: string;
  /** Fully qualified name, empty when unknown. */
  readonly host: string;
}

/**
 * The workload whose policies are asked. Compared by identity where plans are remembered, so build it once.
 */
export interface Workload {
  readonly namespace: string;
  /** Empty when unknown. */
  readonly name: string;
  readonly type: WorkloadType;
  readonly labels: ReadonlyMap<string, string>;
  readonly services: readonly ServiceRef[];
}
