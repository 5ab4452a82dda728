import { Counter, Gauge, type Registry } from "prom-client";

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
}

/** Metrics of the whole product, not of one process: only the one that fetches keys sets them. */
export function createKeyMetrics(registers: Registry[]): KeyMetrics {
  const labelNames = ["issuer"] as const;
  const age = new Gauge({
    name: "gatehouse_jwks_age_seconds",
    help: "Time since an issuer's keys were fetched; the oldest where it has several sources.",
    labelNames,
    registers,
  });
  const keys = new Gauge({
    name: "gatehouse_jwks_keys",
    help: "Usable keys of an issuer, 0 when none have arrived.",
    labelNames,
    registers,
  });
  const lastSuccess = new Gauge({
    name: "gatehouse_jwks_last_success_timestamp_seconds",
    help: "When an issuer's keys were fetched last.",
    labelNames,
    registers,
  });
  const fetches = new Counter({
    name: "gatehouse_jwks_fetches_total",
    help: "Fetches of an issuer's keys, by result: ok, failed.",
    labelNames: ["issuer", "result"],
    registers,
  });
  let counted = new Set<string>();

  const count = (issuer: string): void => {
    if (counted.has(issuer)) return;
    counted.add(issuer);
    for (const result of ["ok", "failed"]) fetches.inc({ issuer, result }, 0);
  };
  return {
    keysFetched(issuer, result) {
      count(issuer);
      fetches.inc({ issuer, result });
    },
    keysMeasured(sources) {
      for (const gauge of [age, keys, lastSuccess]) gauge.reset();
      const issuers = new Set(sources.map(({ issuer }) => issuer));
      for (const issuer of issuers) {
        count(issuer);
        const own = sources.filter((source) => source.issuer === issuer);
        keys.set(
          { issuer },
          own.reduce((sum, source) => sum + source.keys, 0),
        );
        const ages = own.flatMap(({ ageSeconds }) => ageSeconds ?? []);
        if (ages.length > 0) age.set({ issuer }, Math.max(...ages));
        const times = own.flatMap((source) => source.lastSuccess ?? []);
        if (times.length > 0) lastSuccess.set({ issuer }, Math.min(...times));
      }
      for (const issuer of counted) {
        if (issuers.has(issuer)) continue;
        for (const result of ["ok", "failed"]) fetches.remove({ issuer, result });
      }
      counted = new Set([...counted].filter((issuer) => issuers.has(issuer)));
    },
  };
}
