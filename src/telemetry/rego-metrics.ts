import type { MetricObject } from "prom-client";
import type { MetricDefinition } from "./definition.js";
import { createNumberFamily } from "./family.js";

/** What evaluations of Rego count. */
export interface RegoMetrics {
  /** An evaluation gave no answer; `reason` is from a closed set. */
  regoFailed(reason: string): void;
  values(): MetricObject[];
}

const failures: MetricDefinition = {
  name: "gatehouse_rego_failures_total",
  type: "counter",
  help: "Evaluations of Rego policies that gave no answer, by reason; each refused its request or let it pass by failOpen.",
  labels: [{ name: "reason", values: "those of [when there is no answer](rego.md#when-there-is-no-answer)" }],
};

/** The metrics of policies in Rego. */
export const regoDefinitions: readonly MetricDefinition[] = [failures];

/** Counts evaluations without an answer. */
export function createRegoMetrics(): RegoMetrics {
  const failed = createNumberFamily(failures);
  return { regoFailed: (reason) => failed.add(1, reason), values: () => [failed.object()] };
}
