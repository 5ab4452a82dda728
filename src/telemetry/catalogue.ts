import { authnDefinitions } from "./authn-metrics.js";
import { bodyDefinitions } from "./body-metrics.js";
import { checkDefinitions } from "./check-metrics.js";
import { configDefinitions } from "./config-metrics.js";
import type { MetricChapter } from "./definition.js";
import { expressionDefinitions } from "./expression-metrics.js";
import { extProcDefinitions } from "./ext-proc-metrics.js";
import { introspectionDefinitions } from "./introspection-metrics.js";
import { keyDefinitions } from "./key-metrics.js";
import { logDefinitions } from "./log-metrics.js";
import { processDefinitions } from "./process-metrics.js";
import { providerDefinitions } from "./provider-metrics.js";
import { quotaDefinitions } from "./quota-metrics.js";
import { rateLimitDefinitions } from "./rate-limit-metrics.js";
import { redisDefinitions } from "./redis-metrics.js";
import { regoDefinitions } from "./rego-metrics.js";
import { sinkDefinitions } from "./sink-metrics.js";

/**
 * The catalogue: every metric that Gatehouse counts of itself. `docs/metrics.md` is made of it, and `/metrics` shows
 * nothing else but the series of `src/series` and the metrics of processes that prom-client brings.
 */
export const metricCatalogue: readonly MetricChapter[] = [
  { title: "Checks", metrics: checkDefinitions },
  { title: "Bodies and responses", metrics: [...extProcDefinitions, ...bodyDefinitions] },
  { title: "What proxies report", metrics: logDefinitions },
  { title: "Logs and traces", metrics: [...sinkDefinitions, ...expressionDefinitions] },
  { title: "Extension providers and Rego", metrics: [...providerDefinitions, ...regoDefinitions] },
  { title: "Who is calling", metrics: [...authnDefinitions, ...introspectionDefinitions, ...keyDefinitions] },
  { title: "Quotas", metrics: [...quotaDefinitions, ...redisDefinitions] },
  { title: "The rate limit service", metrics: rateLimitDefinitions },
  { title: "Configuration", metrics: configDefinitions },
  { title: "Processes", metrics: processDefinitions },
];
