import type { MetricObject } from "prom-client";
import type { AuthnObserver } from "../authn/index.js";
import { metricObject } from "./exposition.js";

/** What authentication counts. */
export interface AuthnMetrics {
  readonly authenticated: AuthnObserver;
  readonly values: () => MetricObject[];
}

/**
 * Counts credentials by who judged them. Every label is from a closed set: methods and reasons are, and an issuer is
 * one that the configuration names, never one that a token names.
 */
export function createAuthnMetrics(): AuthnMetrics {
  const counts = new Map<string, { readonly labels: Record<string, string>; value: number }>();
  const cache = { hit: 0, miss: 0 };
  const count = (method: string, issuer: string, result: string): void => {
    const key = `${method} ${result} ${issuer}`;
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { labels: { method, issuer, result }, value: 1 });
    else known.value += 1;
  };
  return {
    authenticated({ record }, { cacheHits, cacheMisses }) {
      cache.hit += cacheHits;
      cache.miss += cacheMisses;
      if (record === undefined) return;
      if (record.method !== undefined) count(record.method, record.issuer, "ok");
      for (const { method, issuer, reason } of record.refused) count(method, issuer, reason);
    },
    values: () => [
      metricObject({
        name: "gatehouse_authn_credentials_total",
        help: "Credentials judged, by method, configured issuer or resource, and result: ok, or why it was refused.",
        type: "counter",
        values: [...counts.values()].map(({ labels, value }) => ({ labels, value })),
      }),
      metricObject({
        name: "gatehouse_token_cache_total",
        help: "Tokens whose signature was remembered (hit) or had to be verified (miss).",
        type: "counter",
        values: Object.entries(cache).map(([result, value]) => ({ labels: { result }, value })),
      }),
    ],
  };
}
