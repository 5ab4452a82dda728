import type { MetricObject } from "prom-client";
import type { AuthnObserver } from "../authn/index.js";
import type { MetricDefinition } from "./definition.js";
import { createNumberFamily } from "./family.js";

/** What authentication counts. */
export interface AuthnMetrics {
  readonly authenticated: AuthnObserver;
  readonly values: () => MetricObject[];
}

const credentials: MetricDefinition = {
  name: "gatehouse_authn_credentials_total",
  type: "counter",
  help: "Credentials judged, by method, configured issuer or resource, and result: ok, or why it was refused.",
  labels: [
    { name: "method", values: ["jwt", "envoy_jwt", "introspection", "api_key"] },
    { name: "issuer", values: "of the rule, or `NAMESPACE/NAME` of the resource" },
    { name: "result", values: "`ok`, or a reason of [authn](answers.md#who-is-calling-authn)" },
  ],
  more: "With several rules a token counts for each that looked at it.",
};

const tokenCache: MetricDefinition = {
  name: "gatehouse_token_cache_total",
  type: "counter",
  help: "Tokens whose signature was remembered (hit) or had to be verified (miss).",
  labels: [{ name: "result", values: ["hit", "miss"] }],
  startsAtZero: true,
};

/** The metrics of credentials. */
export const authnDefinitions: readonly MetricDefinition[] = [credentials, tokenCache];

/**
 * Counts credentials by who judged them. Every label is from a closed set: methods and reasons are, and an issuer is
 * one that the configuration names, never one that a token names.
 */
export function createAuthnMetrics(): AuthnMetrics {
  const judged = createNumberFamily(credentials);
  const cache = createNumberFamily(tokenCache);
  return {
    authenticated({ record }, { cacheHits, cacheMisses }) {
      if (cacheHits > 0) cache.add(cacheHits, "hit");
      if (cacheMisses > 0) cache.add(cacheMisses, "miss");
      if (record === undefined) return;
      if (record.method !== undefined) judged.add(1, record.method, record.issuer, "ok");
      for (const { method, issuer, reason } of record.refused) judged.add(1, method, issuer, reason);
    },
    values: () => [judged.object(), cache.object()],
  };
}
