import type { Path } from "../diagnostics/index.js";
import type { Selector, TargetRef } from "../documents/index.js";
import type { StandardMetric } from "./istio-metrics.js";

/** Istio's WorkloadMode: on which side of a call the workload stands. */
export type WorkloadMode = "CLIENT_AND_SERVER" | "CLIENT" | "SERVER";

/** What becomes of a label: taken away, or given the value of a CEL expression. */
export type LabelChange = { readonly remove: true } | { readonly value: string };

/** One of `metrics[].overrides`. */
export interface MetricsOverride {
  /** Those that Istio defines; empty when `custom` is set. */
  readonly metrics: readonly StandardMetric[];
  /** The name of a Metric. */
  readonly custom: string | undefined;
  readonly mode: WorkloadMode;
  /** Undefined: as inherited. */
  readonly disabled: boolean | undefined;
  readonly labels: readonly (readonly [name: string, change: LabelChange])[];
}

/** One of `metrics`. */
export interface MetricsRule {
  /** Lower case. Empty: as inherited. */
  readonly providers: readonly string[];
  readonly overrides: readonly MetricsOverride[];
}

/** One of `accessLogging`. */
export interface AccessLoggingRule {
  readonly mode: WorkloadMode;
  /** Lower case. Empty: as inherited. */
  readonly providers: readonly string[];
  readonly disabled: boolean;
  /** CEL that gives a boolean. */
  readonly filter: string | undefined;
}

/** A tag of spans as a document names it. */
export type CustomTag =
  | { readonly name: string; readonly literal: string }
  | { readonly name: string; readonly environment: string; readonly fallback: string }
  /** In lower case. */
  | { readonly name: string; readonly header: string; readonly fallback: string }
  | { readonly name: string; readonly format: string };

/** One of `tracing`; undefined: as inherited. */
export interface TracingSettings {
  readonly mode: WorkloadMode;
  /** Lower case. Empty: as inherited; of several the first counts. */
  readonly providers: readonly string[];
  readonly samplingPercent: number | undefined;
  readonly disabled: boolean | undefined;
  readonly tags: readonly CustomTag[] | undefined;
  readonly istioTags: boolean | undefined;
}

/** A Telemetry document of telemetry.istio.io: plain data that survives a structured clone. */
export interface Telemetry {
  readonly namespace: string;
  readonly name: string;
  readonly selector: Selector | undefined;
  readonly targetRefs: readonly TargetRef[];
  readonly metrics: readonly MetricsRule[];
  readonly accessLogging: readonly AccessLoggingRule[];
  readonly tracing: readonly TracingSettings[];
}

/** Whether it is for a whole namespace, or in the root namespace for the mesh. */
export function isNamespaceWide({ selector, targetRefs }: Telemetry): boolean {
  return (selector ?? []).length === 0 && targetRefs.length === 0;
}

/** The providers that a Telemetry names, in lower case, with the place of each. */
export function providersNamed(
  telemetry: Telemetry,
): readonly { readonly name: string; readonly path: Path }[] {
  return (["metrics", "accessLogging", "tracing"] as const).flatMap((list) =>
    telemetry[list].flatMap(({ providers }, i) =>
      providers.map((name, j) => ({ name, path: ["spec", list, i, "providers", j, "name"] })),
    ),
  );
}

/**
 * Telemetries for whole namespaces that do not count, since another one of the namespace comes first by
 * name; Istio takes the oldest.
 */
export function unusedTelemetries(all: readonly Telemetry[]): readonly Telemetry[] {
  const first = new Map<string, Telemetry>();
  for (const telemetry of sortByName(all)) {
    if (isNamespaceWide(telemetry) && !first.has(telemetry.namespace))
      first.set(telemetry.namespace, telemetry);
  }
  return all.filter((one) => isNamespaceWide(one) && first.get(one.namespace) !== one);
}

/** By namespace and name. */
export function sortByName<Named extends { readonly namespace: string; readonly name: string }>(
  all: readonly Named[],
): readonly Named[] {
  const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return [...all].sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name));
}
