import type { MetricObject } from "prom-client";
import type { RateLimitObserver } from "../ratelimit/index.js";
import type { MetricDefinition } from "./definition.js";
import { createHistogramFamily, createNumberFamily } from "./family.js";

/** What the rate limit service counts. */
export interface RateLimitMetrics {
  readonly rateLimits: RateLimitObserver;
  /** A call ended: with its overall code, or undefined where it failed. */
  rateLimited(call: {
    readonly code: "OK" | "OVER_LIMIT" | undefined;
    /** Milliseconds from the message to its answer. */
    readonly elapsedMs: number;
  }): void;
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

const limitLabels = [
  { name: "domain", values: "of the config file" },
  { name: "key1", values: "[by envoyproxy/ratelimit's rules](from-envoyproxy-ratelimit.md#metrics)" },
  { name: "key2", values: "the same" },
] as const;

/** Untyped: these names, which are the peer's, do not end as Prometheus wants those of counters to. */
const hitsOf = (kind: Kind): MetricDefinition => ({
  name: `ratelimit_service_rate_limit_${kind}`,
  type: "untyped",
  help: kinds[kind],
  labels: limitLabels,
});

const calls: MetricDefinition = {
  name: "gatehouse_ratelimit_calls_total",
  type: "counter",
  help: "Calls of the rate limit service, by overall code or ERROR.",
  labels: [{ name: "code", values: ["OK", "OVER_LIMIT", "ERROR"] }],
};

/** 10 µs to 1 s: memory takes microseconds, Redis milliseconds. */
const duration: MetricDefinition = {
  name: "gatehouse_ratelimit_duration_seconds",
  type: "histogram",
  help: "Time from a call of the rate limit service to its answer.",
  labels: [],
  buckets: [
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1,
  ],
};

const unknownDomains: MetricDefinition = {
  name: "gatehouse_ratelimit_unknown_domain_total",
  type: "counter",
  help: "Descriptors for a domain without limits, which pass.",
  labels: [],
};

/** The metrics of the rate limit service. */
export const rateLimitDefinitions: readonly MetricDefinition[] = [
  calls,
  duration,
  unknownDomains,
  ...(Object.keys(kinds) as Kind[]).map(hitsOf),
];

/** Limits told apart; config files may put values of requests into their names (`detailed_metric`). */
const MAX_LIMITS = 2000;
/** Characters of such a name; a value of a request may be as long as its sender likes. */
const MAX_NAME = 512;
const other: readonly string[] = ["other", "", ""];

/** Counts hits by limit. `key2` holds all keys below the first. */
export function createRateLimitMetrics(): RateLimitMetrics {
  const byKind = new Map(
    (Object.keys(kinds) as Kind[]).map((kind) => [kind, createNumberFamily(hitsOf(kind))]),
  );
  const ended = createNumberFamily(calls);
  const durations = createHistogramFamily(duration);
  const notFound = createNumberFamily(unknownDomains);
  const known = new Set<string>();
  const names = new WeakMap<readonly string[], readonly string[]>();
  /** A limit's path is mostly the config's own, the same object each time (measured: 0.4 µs a count). */
  const nameOf = (path: readonly string[]): readonly string[] => {
    let name = names.get(path);
    if (name === undefined) {
      name = writeName(path);
      names.set(path, name);
    }
    return name;
  };
  const writeName = (path: readonly string[]): readonly string[] => {
    const [domain = "", first = "", ...rest] = path;
    const name = [oneLine(domain), oneLine(first), oneLine(rest.join("."))];
    const text = name.join("\n");
    if (known.has(text)) return name;
    if (known.size >= MAX_LIMITS || text.length > MAX_NAME) return other;
    known.add(text);
    return name;
  };
  return {
    rateLimits: {
      counted: (path, kind, hits) => byKind.get(kind)?.add(hits, ...nameOf(path)),
      // The name is the caller's.
      domainNotFound: () => notFound.add(1),
    },
    rateLimited({ code = "ERROR", elapsedMs }) {
      ended.add(1, code);
      durations.observe(elapsedMs / 1000);
    },
    values: () => [
      ...[...byKind.values()].map((family) => family.object()),
      ...[ended, durations, notFound].map((family) => family.object()),
    ],
  };
}

function oneLine(text: string): string {
  return text.includes("\n") ? text.replaceAll("\n", " ") : text;
}
