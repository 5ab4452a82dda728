import { type Side, sidesOf } from "./merge-metrics.js";
import type { AccessLoggingRule } from "./telemetry.js";

/** The `accessLogging` of one Telemetry. */
export interface LogLevel {
  /** For whoever is told that a filter failed. */
  readonly resource: string;
  readonly rules: readonly AccessLoggingRule[];
}

/** The access log of one provider on one side. */
export interface MergedLog {
  readonly provider: string;
  /** Undefined: every report. */
  readonly filter: { readonly resource: string; readonly source: string } | undefined;
}

/**
 * Joins `accessLogging` of all levels for one side, the outermost first, as Istio does: providers that a
 * level names replace those of the level above, the last filter of a provider holds, and `disabled` until a
 * later rule of the provider. Better than Istio, a filter without providers holds for those that are
 * inherited. By provider's name.
 */
export function mergeAccessLogs(
  levels: readonly LogLevel[],
  defaults: readonly string[],
  side: Side,
): readonly MergedLog[] {
  const given = levels.filter(({ rules }) => rules.length > 0);
  if (given.length === 0) return sorted(defaults.map((provider) => ({ provider, filter: undefined })));
  const filters = new Map<string, MergedLog["filter"]>();
  const on = new Map<string, boolean>();
  let inScope: ReadonlySet<string> = new Set(defaults);
  let inherited = defaults;
  for (const { resource, rules } of given) {
    const named = new Set<string>();
    for (const { mode, providers, disabled, filter } of rules) {
      if (providers.length > 0) inherited = providers;
      if (!sidesOf(mode).includes(side)) continue;
      for (const provider of providers) named.add(provider);
      for (const provider of inherited) {
        on.set(provider, !disabled);
        if (filter !== undefined) filters.set(provider, { resource, source: filter });
        else if (providers.length > 0) filters.delete(provider);
      }
    }
    if (named.size > 0) inScope = named;
  }
  return sorted(
    [...on].flatMap(([provider, isOn]) =>
      isOn && inScope.has(provider) ? [{ provider, filter: filters.get(provider) }] : [],
    ),
  );
}

function sorted(logs: readonly MergedLog[]): readonly MergedLog[] {
  return [...logs].sort((a, b) => (a.provider < b.provider ? -1 : 1));
}
