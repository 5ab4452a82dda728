import { type Side, sidesOf } from "./merge-metrics.js";
import type { CustomTag, TracingSettings } from "./telemetry.js";

/** How one side is traced. */
export interface MergedTracing {
  /** Undefined: not at all. */
  readonly provider: string | undefined;
  /** Undefined: the mesh's own. */
  readonly samplingPercent: number | undefined;
  readonly disabled: boolean;
  readonly tags: readonly CustomTag[];
  readonly istioTags: boolean;
}

/**
 * Joins `tracing` of all levels for one side, the outermost first, as Istio does: each field by itself, of
 * the last that gives it; `customTags` as a whole. One provider counts.
 */
export function mergeTracing(
  settings: readonly TracingSettings[],
  defaults: readonly string[],
  side: Side,
): MergedTracing {
  let merged: MergedTracing = {
    provider: defaults[0],
    samplingPercent: undefined,
    disabled: false,
    tags: [],
    istioTags: true,
  };
  for (const one of settings) {
    if (!sidesOf(one.mode).includes(side)) continue;
    merged = {
      provider: one.providers[0] ?? merged.provider,
      samplingPercent: one.samplingPercent ?? merged.samplingPercent,
      disabled: one.disabled ?? merged.disabled,
      tags: one.tags ?? merged.tags,
      istioTags: one.istioTags ?? merged.istioTags,
    };
  }
  return merged;
}
