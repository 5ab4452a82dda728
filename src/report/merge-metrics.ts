import type { StandardMetric } from "./istio-metrics.js";
import type { LabelChange, MetricsRule, WorkloadMode } from "./telemetry.js";

/** One side of a workload. */
export type Side = "CLIENT" | "SERVER";

export const sides: readonly Side[] = ["CLIENT", "SERVER"];

/** What becomes of one metric on one side. */
export interface MergedMetric {
  readonly disabled: boolean;
  readonly labels: ReadonlyMap<string, LabelChange>;
}

/** What becomes of the metrics of one side. */
export interface MergedMetrics {
  /** Not one of the standard metrics is wanted. */
  readonly disabled: boolean;
  /** Those of which something was said. */
  readonly standard: ReadonlyMap<StandardMetric, MergedMetric>;
  /** Metrics by their series' name that are not wanted. */
  readonly withoutCustom: ReadonlySet<string>;
}

/** The sides that a mode names. */
export function sidesOf(mode: WorkloadMode): readonly Side[] {
  return mode === "CLIENT_AND_SERVER" ? sides : [mode];
}

interface SideState {
  disabled: boolean;
  readonly standard: Map<StandardMetric, { disabled: boolean; labels: Map<string, LabelChange> }>;
  readonly custom: Map<string, boolean>;
}

/**
 * Joins `metrics` of all levels, the outermost first, as Istio does: providers that are named replace those
 * of the level above, and an override holds for what it says, on top of what came before. All metrics that
 * are disabled at once come back with any later override of that side. Gives what holds by provider and
 * side; a provider that is not there gets nothing.
 */
export function mergeMetrics(
  rules: readonly MetricsRule[],
  defaults: readonly string[],
): ReadonlyMap<string, Readonly<Record<Side, MergedMetrics>>> {
  const inScope = new Set(rules.findLast(({ providers }) => providers.length > 0)?.providers ?? defaults);
  const merged = new Map<string, Record<Side, SideState>>();
  if (rules.length === 0) for (const name of defaults) merged.set(name, emptySides());
  let inherited = defaults;
  for (const { providers, overrides } of rules) {
    if (providers.length > 0) inherited = providers;
    for (const name of inherited) {
      if (!inScope.has(name)) continue;
      const state = merged.get(name) ?? emptySides();
      merged.set(name, state);
      for (const override of overrides)
        for (const side of sidesOf(override.mode)) apply(override, state[side]);
    }
  }
  return new Map(
    [...merged].map(([name, { CLIENT, SERVER }]) => [name, { CLIENT: done(CLIENT), SERVER: done(SERVER) }]),
  );
}

/** How many standard metrics an override has that means all. */
const ALL = 10;

function apply(
  { metrics, custom, disabled, labels }: MetricsRule["overrides"][number],
  state: SideState,
): void {
  if (custom !== undefined) {
    if (disabled !== undefined) state.custom.set(custom, disabled);
    return;
  }
  if (metrics.length === ALL && disabled === true) {
    state.disabled = true;
    return;
  }
  state.disabled = false;
  for (const metric of metrics) {
    const known = state.standard.get(metric) ?? { disabled: false, labels: new Map() };
    state.standard.set(metric, known);
    if (disabled !== undefined) known.disabled = disabled;
    for (const [name, change] of labels) known.labels.set(name, change);
  }
}

function emptySides(): Record<Side, SideState> {
  const empty = (): SideState => ({ disabled: false, standard: new Map(), custom: new Map() });
  return { CLIENT: empty(), SERVER: empty() };
}

function done({ disabled, standard, custom }: SideState): MergedMetrics {
  const withoutCustom = new Set([...custom].flatMap(([name, isDisabled]) => (isDisabled ? name : [])));
  return { disabled, standard, withoutCustom };
}
