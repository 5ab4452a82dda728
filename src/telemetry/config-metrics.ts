import type { MetricObject } from "prom-client";
import type { MetricDefinition } from "./definition.js";
import { createNumberFamily } from "./family.js";

/**
 * How a reload ended: `ok`, `invalid` (the configuration has errors), `failed` (it could not be put in
 * force).
 */
export type ReloadResult = "ok" | "invalid" | "failed";

/** The state of the configuration, for gauges. */
export interface ConfigGauges {
  readonly generation: number;
  readonly lastReloadSuccess: boolean;
  readonly diagnostics: { readonly error: number; readonly warning: number };
  /** By kind; kinds come from the closed registry of configuration. */
  readonly resources: ReadonlyMap<string, number>;
}

/** What the configuration counts. */
export interface ConfigMetrics {
  reloaded(result: ReloadResult): void;
  configured(state: ConfigGauges): void;
  values(): MetricObject[];
}

const generation: MetricDefinition = {
  name: "gatehouse_config_generation",
  type: "gauge",
  help: "Number of the configuration in force, 0 when there is none.",
  labels: [],
};

const success: MetricDefinition = {
  name: "gatehouse_config_last_reload_success",
  type: "gauge",
  help: "1 when the configuration on disk is the one in force.",
  labels: [],
};

const reloads: MetricDefinition = {
  name: "gatehouse_config_reloads_total",
  type: "counter",
  help: "Configurations read, by result: ok, invalid (kept the last good one), failed.",
  labels: [{ name: "result", values: ["ok", "invalid", "failed"] }],
  startsAtZero: true,
};

const diagnostics: MetricDefinition = {
  name: "gatehouse_config_diagnostics",
  type: "gauge",
  help: "Findings in the configuration on disk, by severity.",
  labels: [{ name: "severity", values: ["error", "warning"] }],
};

const resources: MetricDefinition = {
  name: "gatehouse_resources",
  type: "gauge",
  help: "Resources in force, by kind.",
  labels: [{ name: "kind", values: "a kind of the configuration" }],
};

/** The metrics of the configuration. */
export const configDefinitions: readonly MetricDefinition[] = [
  generation,
  success,
  reloads,
  diagnostics,
  resources,
];

/**
 * Gauges of the whole product, not of one process: only the primary sets them, so the sum over processes is
 * right.
 */
export function createConfigMetrics(): ConfigMetrics {
  const number = createNumberFamily(generation);
  const isGood = createNumberFamily(success);
  const results = createNumberFamily(reloads);
  const findings = createNumberFamily(diagnostics);
  const kinds = createNumberFamily(resources);
  return {
    reloaded: (result) => results.add(1, result),
    configured(state) {
      number.set(state.generation);
      isGood.set(state.lastReloadSuccess ? 1 : 0);
      findings.set(state.diagnostics.error, "error");
      findings.set(state.diagnostics.warning, "warning");
      kinds.reset();
      for (const [kind, count] of state.resources) kinds.set(count, kind);
    },
    values: () => [number, isGood, results, findings, kinds].map((family) => family.object()),
  };
}
