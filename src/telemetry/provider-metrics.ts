import type { MetricObject } from "prom-client";
import type { MetricDefinition } from "./definition.js";
import { createHistogramFamily, createNumberFamily } from "./family.js";

/** How a provider answered. */
export type ProviderResult = "allowed" | "denied" | "failed" | "failed_open";

/** What extension providers count. */
export interface ProviderMetrics {
  /** `provider` is a name from the Mesh, never from a request; `seconds` from the question to its verdict. */
  providerAsked(provider: string, result: ProviderResult, seconds: number): void;
  values(): MetricObject[];
}

const provider = { name: "provider", values: "a name of the Mesh" } as const;

const requests: MetricDefinition = {
  name: "gatehouse_provider_requests_total",
  type: "counter",
  help: "Questions to extension providers, by configured name and result.",
  labels: [provider, { name: "result", values: ["allowed", "denied", "failed", "failed_open"] }],
};

/** 0.5 ms to 5 s: a network is between. */
const duration: MetricDefinition = {
  name: "gatehouse_provider_duration_seconds",
  type: "histogram",
  help: "Time from a question to an extension provider to its verdict, failures and timeouts included.",
  labels: [provider],
  buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
};

/** The metrics of extension providers. */
export const providerDefinitions: readonly MetricDefinition[] = [requests, duration];

/** Counts questions to extension providers. */
export function createProviderMetrics(): ProviderMetrics {
  const asked = createNumberFamily(requests);
  const durations = createHistogramFamily(duration);
  return {
    providerAsked(name, result, seconds) {
      asked.add(1, name, result);
      durations.observe(seconds, name);
    },
    values: () => [asked.object(), durations.object()],
  };
}
