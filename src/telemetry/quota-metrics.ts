import type { MetricObject } from "prom-client";
import type { QuotaObserver } from "../quota/index.js";
import { metricObject } from "./exposition.js";

/** What quotas count. */
export interface QuotaMetrics {
  readonly quotas: QuotaObserver;
  values(): MetricObject[];
}

/** Label values in the order of their names, one line each, by how often. */
type Counts = Map<string, number>;

const separator = "\n";

/** Counts charges in plain maps: names of quotas come from the configuration, all other labels from closed sets. */
export function createQuotaMetrics(): QuotaMetrics {
  const charges: Counts = new Map();
  const expressions: Counts = new Map();
  const stores: Counts = new Map();
  const count = (counts: Counts, quota: string, what: string): void => {
    const key = quota + separator + what;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };
  return {
    quotas: {
      charged: (quota, result) => count(charges, quota, result),
      expressionFailed: (quota, use) => count(expressions, quota, use),
      storeFailed: (quota, outcome) => count(stores, quota, outcome),
    },
    values: () => [
      counter("gatehouse_quota_charges_total", "Requests that a Quota counted, by result.", {
        counts: charges,
        labels: ["quota", "result"],
      }),
      counter(
        "gatehouse_quota_expression_failures_total",
        "Expressions of a Quota without a value, so that its most general key was charged.",
        { counts: expressions, labels: ["quota", "use"] },
      ),
      counter(
        "gatehouse_quota_store_failures_total",
        "Charges that the counter store could not make, by what onStoreFailure did instead.",
        { counts: stores, labels: ["quota", "outcome"] },
      ),
    ],
  };
}

/** A counter of which `counts` has a line for each series. */
export function counter(
  name: string,
  help: string,
  { counts, labels }: { readonly counts: Counts; readonly labels: readonly string[] },
): MetricObject {
  const values = [...counts].map(([key, value]) => {
    const texts = key.split(separator);
    return { value, labels: Object.fromEntries(labels.map((label, i) => [label, texts[i] ?? ""])) };
  });
  return metricObject({ name, help, type: "counter", values });
}
