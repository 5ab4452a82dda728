import { codes, type Finding, finding, type Path } from "../diagnostics/index.js";
import type { ResourceDocument } from "../documents/index.js";

/** Makes a policy say what it would do in place of doing it. */
export const dryRunAnnotation = "istio.io/dry-run";

/** For kinds that Istio cannot try out. */
export function refuseDryRun({ annotations, kind }: ResourceDocument, out: Finding[]): void {
  if (!annotations.has(dryRunAnnotation)) return;
  const at: Path = ["metadata", "annotations", dryRunAnnotation];
  const message = `annotation \`${dryRunAnnotation}\` on a ${kind}, expected it only on an AuthorizationPolicy`;
  out.push(finding(codes.invalidValue, at, message));
}

/** Annotations of Istio's own machinery, which it refuses on what people write. */
const internalAnnotations = ["internal.istio.io/parents", "internal.istio.io/webhook-always-reject"];

/** Refuses what only Istio itself may write. */
export function refuseInternal({ annotations }: ResourceDocument, out: Finding[]): void {
  if (annotations.size === 0) return;
  for (const name of internalAnnotations) {
    if (!annotations.has(name)) continue;
    const message = `annotation \`${name}\` is internal to Istio, expected none`;
    out.push(finding(codes.invalidValue, ["metadata", "annotations", name], message));
  }
}
