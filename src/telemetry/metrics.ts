import type { MetricObject } from "prom-client";
import { type AuthnMetrics, createAuthnMetrics } from "./authn-metrics.js";
import { type BodyMetrics, createBodyMetrics } from "./body-metrics.js";
import { type CheckMetrics, createCheckMetrics } from "./check-metrics.js";
import { type ConfigMetrics, createConfigMetrics } from "./config-metrics.js";
import { createExpressionMetrics, type ExpressionMetrics } from "./expression-metrics.js";
import { createExtProcMetrics, type ExtProcMetrics } from "./ext-proc-metrics.js";
import { createIntrospectionMetrics, type IntrospectionMetrics } from "./introspection-metrics.js";
import { createKeyMetrics, type KeyMetrics } from "./key-metrics.js";
import { createLogMetrics, type LogMetrics } from "./log-metrics.js";
import { createDefaultMetrics, createProcessMetrics, type ProcessMetrics } from "./process-metrics.js";
import { createProviderMetrics, type ProviderMetrics } from "./provider-metrics.js";
import { createQuotaMetrics, type QuotaMetrics } from "./quota-metrics.js";
import { createRateLimitMetrics, type RateLimitMetrics } from "./rate-limit-metrics.js";
import { createRedisMetrics, type RedisMetrics } from "./redis-metrics.js";
import { createRegoMetrics, type RegoMetrics } from "./rego-metrics.js";
import { createSinkMetrics, type SinkMetrics } from "./sink-metrics.js";

type Part<M> = Omit<M, "values">;

/** The process's metrics. Recording never throws; label values come from closed sets. */
export interface Metrics
  extends Part<CheckMetrics>,
    Part<ExtProcMetrics>,
    Part<BodyMetrics>,
    Part<LogMetrics>,
    Part<SinkMetrics>,
    Part<ExpressionMetrics>,
    Part<ProviderMetrics>,
    Part<RegoMetrics>,
    Part<AuthnMetrics>,
    Part<IntrospectionMetrics>,
    Part<KeyMetrics>,
    Part<QuotaMetrics>,
    Part<RedisMetrics>,
    Part<RateLimitMetrics>,
    Part<ConfigMetrics>,
    Part<ProcessMetrics> {
  /** Plain data that another process can add to its own, see `renderMetrics`. */
  values(): Promise<MetricObject[]>;
}

/**
 * Counts what `metricCatalogue` names. `processMetrics` adds CPU, memory, garbage collection and event loop of this
 * process.
 */
export function createMetrics(options: { readonly processMetrics: boolean }): Metrics {
  const checks = createCheckMetrics();
  const extProc = createExtProcMetrics();
  const bodies = createBodyMetrics();
  const logs = createLogMetrics();
  const sinks = createSinkMetrics();
  const expressions = createExpressionMetrics();
  const providers = createProviderMetrics();
  const rego = createRegoMetrics();
  const authn = createAuthnMetrics();
  const introspection = createIntrospectionMetrics();
  const keys = createKeyMetrics();
  const quotas = createQuotaMetrics();
  const redis = createRedisMetrics();
  const rateLimits = createRateLimitMetrics();
  const config = createConfigMetrics();
  const processes = createProcessMetrics();
  const parts = [
    ...[checks, logs, sinks, expressions, providers, rego, authn, introspection, keys, quotas, redis],
    ...[rateLimits, config, processes, extProc, bodies],
  ];
  const defaults = options.processMetrics ? createDefaultMetrics() : () => Promise.resolve([]);
  return {
    ...checks,
    ...extProc,
    ...bodies,
    ...logs,
    ...sinks,
    ...expressions,
    ...providers,
    ...rego,
    ...authn,
    ...introspection,
    ...keys,
    ...quotas,
    ...redis,
    ...rateLimits,
    ...config,
    ...processes,
    values: async () => [...parts.flatMap((part) => part.values()), ...(await defaults())],
  };
}
