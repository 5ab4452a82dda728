import type { MetricObject } from "prom-client";
import type { RateLimitObserver } from "../ratelimit/index.js";
import { counter } from "./quota-metrics.js";

/** What the rate limit service counts. */
export interface RateLimitMetrics {
  readonly rateLimits: RateLimitObserver;
  /** A call ended: with its overall code, or undefined where it failed. */
  rateLimited(call: { readonly code: "OK" | "OVER_LIMIT" | undefined }): void;
  values(): MetricObject[];
}

type Kind = Parameters<RateLimitObserver["counted"]>[1];

/** By envoyproxy/ratelimit's names, so that its dashboards and alerts go on. */
const kinds: Readonly<Record<Kind, string>> = {
  total_hits: "Hits of a limit.",
  within_limit: "Hits that were within the limit.",
  near_limit: "Hits within the limit and above NEAR_LIMIT_RATIO of it.",
  over_limit: "Hits above the limit.",
  over_limit_with_local_cache: "Hits above the limit that the local cache knew of.",
  shadow_mode: "Hits above the limit that shadow mode let pass.",
};

/** Limits told apart; config files may put values of requests into their names (`detailed_metric`). */
const MAX_LIMITS = 2000;
/** Characters of such a name; a value of a request may be as long as its sender likes. */
const MAX_NAME = 512;
const other: readonly string[] = ["other", "", ""];

/** Counts hits by limit. `key2` holds all keys below the first. */
export function createRateLimitMetrics(): RateLimitMetrics {
  const byKind = new Map<Kind, Map<string, number>>();
  const known = new Set<string>();
  const calls = new Map<string, number>();
  const unknownDomains = new Map<string, number>();
  const count = (counts: Map<string, number>, key: string, by: number): void => {
    counts.set(key, (counts.get(key) ?? 0) + by);
  };
  const names = new WeakMap<readonly string[], string>();
  /** A limit's path is mostly the config's own, the same object each time (measured: 0.4 µs a count). */
  const nameOf = (path: readonly string[]): string => {
    let name = names.get(path);
    if (name === undefined) {
      name = writeName(path);
      names.set(path, name);
    }
    return name;
  };
  const writeName = (path: readonly string[]): string => {
    const [domain = "", first = "", ...rest] = path;
    const name = `${oneLine(domain)}\n${oneLine(first)}\n${oneLine(rest.join("."))}`;
    if (known.has(name)) return name;
    if (known.size >= MAX_LIMITS || name.length > MAX_NAME) return other.join("\n");
    known.add(name);
    return name;
  };
  return {
    rateLimits: {
      counted(path, kind, hits) {
        let counts = byKind.get(kind);
        if (counts === undefined) {
          counts = new Map();
          byKind.set(kind, counts);
        }
        count(counts, nameOf(path), hits);
      },
      // The name is the caller's.
      domainNotFound: () => count(unknownDomains, "", 1),
    },
    rateLimited: ({ code = "ERROR" }) => count(calls, code, 1),
    values: () => [
      ...Object.entries(kinds).map(([kind, help]) =>
        counter(`ratelimit_service_rate_limit_${kind}`, help, {
          counts: byKind.get(kind as Kind) ?? new Map<string, number>(),
          labels: ["domain", "key1", "key2"],
        }),
      ),
      counter(
        "gatehouse_ratelimit_calls_total",
        "Calls of the rate limit service, by overall code or ERROR.",
        {
          counts: calls,
          labels: ["code"],
        },
      ),
      counter(
        "gatehouse_ratelimit_unknown_domain_total",
        "Descriptors for a domain without limits, which pass.",
        { counts: unknownDomains, labels: [] },
      ),
    ],
  };
}

function oneLine(text: string): string {
  return text.includes("\n") ? text.replaceAll("\n", " ") : text;
}
