import type { MetricObject } from "prom-client";
import type { MetricDefinition } from "./definition.js";
import { createNumberFamily } from "./family.js";

/** How one source of keys stands. */
export interface KeySourceGauges {
  /** From the configuration. */
  readonly issuer: string;
  /** Since the last good fetch; undefined when there are no keys. */
  readonly ageSeconds: number | undefined;
  readonly keys: number;
  /** Seconds since the epoch; undefined when there are no keys. */
  readonly lastSuccess: number | undefined;
}

/** Metrics of keys that are fetched; issuers come from the configuration, so the set is closed. */
export interface KeyMetrics {
  keysFetched(issuer: string, result: "ok" | "failed"): void;
  /** Replaces what was measured before; issuers that are not among these have no series any more. */
  keysMeasured(sources: readonly KeySourceGauges[]): void;
  values(): MetricObject[];
}

const issuer = { name: "issuer", values: "of a RequestAuthentication" } as const;

const ages: MetricDefinition = {
  name: "gatehouse_jwks_age_seconds",
  type: "gauge",
  help: "Time since an issuer's keys were fetched; the oldest where it has several sources.",
  labels: [issuer],
};

const usable: MetricDefinition = {
  name: "gatehouse_jwks_keys",
  type: "gauge",
  help: "Usable keys of an issuer, 0 when none have arrived.",
  labels: [issuer],
};

const lastSuccesses: MetricDefinition = {
  name: "gatehouse_jwks_last_success_timestamp_seconds",
  type: "gauge",
  help: "When an issuer's keys were fetched last.",
  labels: [issuer],
};

const attempts: MetricDefinition = {
  name: "gatehouse_jwks_fetches_total",
  type: "counter",
  help: "Fetches of an issuer's keys, by result.",
  labels: [issuer, { name: "result", values: ["ok", "failed"] }],
  more: "Discovery and keys together are one.",
};

/** The metrics of issuers' keys. */
export const keyDefinitions: readonly MetricDefinition[] = [ages, usable, lastSuccesses, attempts];

/** Metrics of the whole product, not of one process: only the one that fetches keys sets them. */
export function createKeyMetrics(): KeyMetrics {
  const age = createNumberFamily(ages);
  const keys = createNumberFamily(usable);
  const lastSuccess = createNumberFamily(lastSuccesses);
  const fetches = createNumberFamily(attempts);
  let counted = new Set<string>();

  const count = (name: string): void => {
    if (counted.has(name)) return;
    counted.add(name);
    for (const result of ["ok", "failed"]) fetches.add(0, name, result);
  };
  return {
    keysFetched(name, result) {
      count(name);
      fetches.add(1, name, result);
    },
    keysMeasured(sources) {
      for (const gauge of [age, keys, lastSuccess]) gauge.reset();
      const issuers = new Set(sources.map((source) => source.issuer));
      for (const name of issuers) {
        count(name);
        const own = sources.filter((source) => source.issuer === name);
        keys.set(
          own.reduce((sum, source) => sum + source.keys, 0),
          name,
        );
        const since = own.flatMap(({ ageSeconds }) => ageSeconds ?? []);
        if (since.length > 0) age.set(Math.max(...since), name);
        const times = own.flatMap((source) => source.lastSuccess ?? []);
        if (times.length > 0) lastSuccess.set(Math.min(...times), name);
      }
      for (const name of counted) {
        if (issuers.has(name)) continue;
        for (const result of ["ok", "failed"]) fetches.remove(name, result);
      }
      counted = new Set([...counted].filter((name) => issuers.has(name)));
    },
    values: () => [age, keys, lastSuccess, fetches].map((family) => family.object()),
  };
}
