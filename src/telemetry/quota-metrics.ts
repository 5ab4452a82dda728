import type { MetricObject } from "prom-client";
import type { QuotaObserver } from "../quota/index.js";
import type { MetricDefinition } from "./definition.js";
import { createNumberFamily } from "./family.js";

/** What quotas count. */
export interface QuotaMetrics {
  readonly quotas: QuotaObserver;
  /** By so many there are more counters in this process's memory, or fewer: it may have several stores. */
  countersChanged(by: number): void;
  values(): MetricObject[];
}

const quota = { name: "quota", values: "`NAMESPACE/NAME`" } as const;

const charges: MetricDefinition = {
  name: "gatehouse_quota_charges_total",
  type: "counter",
  help: "Requests that a Quota counted, by result.",
  labels: [quota, { name: "result", values: ["allowed", "refused", "trial_allowed", "trial_refused"] }],
};

const expressions: MetricDefinition = {
  name: "gatehouse_quota_expression_failures_total",
  type: "counter",
  help: "Expressions of a Quota without a value, so that its most general key was charged.",
  labels: [quota, { name: "use", values: ["match", "dimensions", "cost", "charge_id"] }],
  more: "See [expressions that fail](quotas.md#expressions-that-fail).",
};

const stores: MetricDefinition = {
  name: "gatehouse_quota_store_failures_total",
  type: "counter",
  help: "Charges that the counter store could not make, by what onStoreFailure did instead.",
  labels: [quota, { name: "outcome", values: ["allowed", "denied", "local"] }],
};

const counters: MetricDefinition = {
  name: "gatehouse_quota_counters",
  type: "gauge",
  help: "Counters of quotas and rate limits in memory.",
  labels: [],
  more: "Those of `onStoreFailure: local` are among them.",
};

/** The metrics of quotas. */
export const quotaDefinitions: readonly MetricDefinition[] = [charges, expressions, stores, counters];

/** Counts charges: names of quotas come from the configuration, all other labels from closed sets. */
export function createQuotaMetrics(): QuotaMetrics {
  const charged = createNumberFamily(charges);
  const expressionFailed = createNumberFamily(expressions);
  const storeFailed = createNumberFamily(stores);
  const held = createNumberFamily(counters);
  return {
    quotas: {
      charged: (name, result) => charged.add(1, name, result),
      expressionFailed: (name, use) => expressionFailed.add(1, name, use),
      storeFailed: (name, outcome) => storeFailed.add(1, name, outcome),
    },
    countersChanged: (by) => held.add(by),
    values: () => [charged.object(), expressionFailed.object(), storeFailed.object(), held.object()],
  };
}
