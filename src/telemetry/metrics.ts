import { Counter, collectDefaultMetrics, Gauge, type MetricObject, Registry } from "prom-client";
import type { AuthnObserver } from "../authn/index.js";
import { createAuthnMetrics } from "./authn-metrics.js";
import { type CheckOutcome, createCheckMetrics } from "./check-metrics.js";
import { createIntrospectionMetrics, type IntrospectionMetrics } from "./introspection-metrics.js";
import { createKeyMetrics, type KeyMetrics } from "./key-metrics.js";
import { createQuotaMetrics, type QuotaMetrics } from "./quota-metrics.js";
import { createRateLimitMetrics, type RateLimitMetrics } from "./rate-limit-metrics.js";
import { createRedisMetrics, type RedisMetrics } from "./redis-metrics.js";
import { createRegoMetrics, type RegoMetrics } from "./rego-metrics.js";

/**
 * How a reload ended: `ok`, `invalid` (the configuration has errors), `failed` (it could not be put in
 * force).
 */
export type ReloadResult = "ok" | "invalid" | "failed";

/** Where an internal error came from. */
export type ErrorPlace = "check" | "decode" | "rate_limit" | "config" | "tls" | "worker" | "process";

/** How a provider answered. */
export type ProviderResult = "allowed" | "denied" | "failed" | "failed_open";

/** The state of the configuration, for gauges. */
export interface ConfigGauges {
  readonly generation: number;
  readonly lastReloadSuccess: boolean;
  readonly diagnostics: { readonly error: number; readonly warning: number };
  /** By kind; kinds come from the closed registry of configuration. */
  readonly resources: ReadonlyMap<string, number>;
}

/** The process's metrics. Recording never throws; label values come from closed sets. */
export interface Metrics
  extends KeyMetrics,
    RegoMetrics,
    Pick<QuotaMetrics, "quotas">,
    RedisMetrics,
    Pick<RateLimitMetrics, "rateLimits" | "rateLimited"> {
  /** `seconds` is from the decoded request to its decision. */
  checked(outcome: CheckOutcome, seconds: number): void;
  readonly authenticated: AuthnObserver;
  readonly introspected: IntrospectionMetrics["introspected"];
  unknownWorkload(): void;
  failedOpen(): void;
  /** `provider` is a name from the Mesh, never from a request. */
  providerAsked(provider: string, result: ProviderResult): void;
  reloaded(result: ReloadResult): void;
  configured(state: ConfigGauges): void;
  failed(where: ErrorPlace): void;
  workerDied(): void;
  workersReady(count: number): void;
  /** By so many there are more counters in this process's memory, or fewer: it may have several stores. */
  countersChanged(by: number): void;
  /** Plain data that another process can add to its own, see `renderMetrics`. */
  values(): Promise<MetricObject[]>;
}

/**
 * The catalogue: every metric of Gatehouse is named here, and `docs/operations.md` has a line for each.
 * `processMetrics` adds CPU, memory, garbage collection and event loop of this process.
 */
export function createMetrics(options: { readonly processMetrics: boolean }): Metrics {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  const checks = createCheckMetrics();
  const authn = createAuthnMetrics();
  const introspection = createIntrospectionMetrics();
  const quotas = createQuotaMetrics();
  const rateLimits = createRateLimitMetrics();
  const held = new Gauge({
    name: "gatehouse_quota_counters",
    help: "Counters of quotas and rate limits in this process's memory.",
    registers,
  });
  const unknownWorkload = new Counter({
    name: "gatehouse_unknown_workload_total",
    help: "Checks refused because their destination workload is unknown while policies are scoped.",
    registers,
  });
  const failedOpen = new Counter({
    name: "gatehouse_failed_open_total",
    help: "Checks allowed by a resource's own failOpen.",
    registers,
  });
  const providers = new Counter({
    name: "gatehouse_provider_requests_total",
    help: "Questions to extension providers, by configured name and result.",
    labelNames: ["provider", "result"],
    registers,
  });
  const reloads = new Counter({
    name: "gatehouse_config_reloads_total",
    help: "Configurations read, by result: ok, invalid (kept the last good one), failed.",
    labelNames: ["result"],
    registers,
  });
  const errors = new Counter({
    name: "gatehouse_internal_errors_total",
    help: "Errors that should not happen, by place. Each refused its request.",
    labelNames: ["where"],
    registers,
  });
  const config = createConfigGauges(registers);
  const workers = createWorkerMetrics(registers);
  if (options.processMetrics) collectDefaultMetrics({ register: registry });
  for (const result of ["ok", "invalid", "failed"]) reloads.inc({ result }, 0);
  return {
    checked: checks.checked,
    authenticated: authn.authenticated,
    introspected: introspection.introspected,
    unknownWorkload: () => unknownWorkload.inc(),
    failedOpen: () => failedOpen.inc(),
    providerAsked: (provider, result) => providers.inc({ provider, result }),
    reloaded: (result) => reloads.inc({ result }),
    failed: (where) => errors.inc({ where }),
    configured: config,
    quotas: quotas.quotas,
    rateLimits: rateLimits.rateLimits,
    rateLimited: rateLimits.rateLimited,
    countersChanged: (by) => held.inc(by),
    ...workers,
    ...createKeyMetrics(registers),
    ...createRegoMetrics(registers),
    ...createRedisMetrics(registers),
    async values() {
      return [
        ...checks.values(),
        ...authn.values(),
        ...introspection.values(),
        ...quotas.values(),
        ...rateLimits.values(),
        ...((await registry.getMetricsAsJSON()) as MetricObject[]),
      ];
    },
  };
}

/**
 * Gauges of the whole product, not of one process: only the primary sets them, so the sum over processes is
 * right.
 */
function createConfigGauges(registers: Registry[]): Metrics["configured"] {
  const generation = new Gauge({
    name: "gatehouse_config_generation",
    help: "Number of the configuration in force, 0 when there is none.",
    registers,
  });
  const success = new Gauge({
    name: "gatehouse_config_last_reload_success",
    help: "1 when the configuration on disk is the one in force.",
    registers,
  });
  const diagnostics = new Gauge({
    name: "gatehouse_config_diagnostics",
    help: "Findings in the configuration on disk, by severity.",
    labelNames: ["severity"],
    registers,
  });
  const resources = new Gauge({
    name: "gatehouse_resources",
    help: "Resources in force, by kind.",
    labelNames: ["kind"],
    registers,
  });
  return (state) => {
    generation.set(state.generation);
    success.set(state.lastReloadSuccess ? 1 : 0);
    diagnostics.set({ severity: "error" }, state.diagnostics.error);
    diagnostics.set({ severity: "warning" }, state.diagnostics.warning);
    resources.reset();
    for (const [kind, count] of state.resources) resources.set({ kind }, count);
  };
}

function createWorkerMetrics(registers: Registry[]): Pick<Metrics, "workerDied" | "workersReady"> {
  const deaths = new Counter({
    name: "gatehouse_worker_deaths_total",
    help: "Worker processes that ended without being told to.",
    registers,
  });
  const ready = new Gauge({
    name: "gatehouse_workers_ready",
    help: "Worker processes that answer checks; 0 when the primary serves alone.",
    registers,
  });
  return { workerDied: () => deaths.inc(), workersReady: (count) => ready.set(count) };
}
