import type { Workload } from "../attributes/index.js";
import type { Selector, TargetRef } from "../documents/index.js";
import type { Metric } from "./metric.js";
import { isNamespaceWide, type Telemetry } from "./telemetry.js";

/** What decides whether a document is for a workload. */
export interface ReportAttachment {
  readonly namespace: string;
  readonly selector: Selector | undefined;
  readonly targetRefs: readonly TargetRef[];
}

/** Whether a document, its namespace being right, is for the workload: as for policies. */
export type SelectsWorkload = (attachment: ReportAttachment, workload: Workload) => boolean;

/** What {@link applicableTelemetries} looks through. */
export interface Applicable {
  /** By namespace and name. */
  readonly telemetries: readonly Telemetry[];
  readonly metrics: readonly Metric[];
  readonly rootNamespace: string;
  readonly selects: SelectsWorkload;
}

/**
 * The Telemetries of a workload, the outermost first, as Istio finds them: that of the root namespace, that
 * of its own, those of the services that a waypoint serves, and at last all that are attached to the
 * workload. Of an unknown workload only the first.
 */
export function applicableTelemetries(
  { telemetries, rootNamespace, selects }: Applicable,
  workload: Workload | undefined,
): readonly Telemetry[] {
  const wide = (namespace: string): Telemetry | undefined =>
    telemetries.find((one) => one.namespace === namespace && isNamespaceWide(one));
  if (workload === undefined) return [wide(rootNamespace) ?? []].flat();
  const served =
    workload.type === "waypoint" ? workload.services.map(({ namespace }) => namespace).sort() : [];
  const namespaces = new Set([rootNamespace, workload.namespace, ...served]);
  const own = new Set([workload.namespace, ...served]);
  const attached = telemetries.filter((one) => {
    if (isNamespaceWide(one)) return false;
    // Only a GatewayClass is named in the root namespace for others; selectors there are its own workloads'.
    const isClass = one.namespace === rootNamespace && one.targetRefs.length > 0;
    return (own.has(one.namespace) || isClass) && selects(one, workload);
  });
  return [...[...namespaces].flatMap((namespace) => wide(namespace) ?? []), ...attached];
}

/** The Metrics of a workload: of the root namespace and of its own, by their selectors. */
export function applicableMetrics(
  { metrics, rootNamespace, selects }: Applicable,
  workload: Workload | undefined,
): readonly Metric[] {
  return metrics.filter(({ namespace, selector }) => {
    if (workload === undefined) return namespace === rootNamespace && (selector ?? []).length === 0;
    if (namespace !== rootNamespace && namespace !== workload.namespace) return false;
    return selects({ namespace, selector, targetRefs: [] }, workload);
  });
}
