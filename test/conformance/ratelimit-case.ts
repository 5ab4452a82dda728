import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { RateLimitAnswer, RateLimitRequest, Unit } from "../../src/ratelimit/index.js";

/** A config of envoyproxy/ratelimit, and what it answered to requests in order, from an empty Redis on. */
export interface RateLimitCase {
  readonly id: string;
  readonly tags: readonly string[];
  /** Environment variables of the peer. */
  readonly env: Readonly<Record<string, string>>;
  /** By name, in the order of the corpus. */
  readonly files: Readonly<Record<string, string>>;
  readonly initial_load: "ok" | { readonly error: string };
  /** Seconds since the epoch at which it was recorded. */
  readonly clock_unix: number;
  readonly steps: readonly RateLimitStep[];
  readonly redis_after: readonly { readonly key: string; readonly unit: Unit; readonly value: string }[];
  /** Counters that are not 0, without those whose name has a line break. */
  readonly stats_after: Readonly<Record<string, string>>;
}

/** A request and what became of it, or a reload. */
export interface RateLimitStep {
  readonly request?: RequestJson;
  /** Instead of `request`: bytes that no encoder makes, or of another method. */
  readonly request_b64?: string;
  readonly method?: string;
  readonly response?: ResponseJson;
  /** What a later version answers where it differs. */
  readonly response_2026_05?: ResponseJson;
  readonly error?: { readonly code: number; readonly code_name: string; readonly message: string };
  readonly op?: "reload";
  readonly files?: Readonly<Record<string, string>>;
  readonly result?: "ok" | { readonly error: string };
}

export interface RequestJson {
  readonly domain: string;
  readonly descriptors: readonly {
    readonly entries: readonly { readonly key: string; readonly value?: string }[];
    readonly limit?: { readonly requests_per_unit: number; readonly unit: string };
    readonly hits_addend?: string;
  }[];
  readonly hits_addend?: number;
}

/** Times are `MASKED` where there is one. */
export interface ResponseJson {
  readonly overall_code: string;
  readonly statuses: readonly {
    readonly code: string;
    readonly current_limit: {
      readonly name: string;
      readonly requests_per_unit: number;
      readonly unit: string;
    } | null;
    readonly limit_remaining: number;
    readonly duration_until_reset: "MASKED" | null;
  }[];
  readonly response_headers_to_add: readonly { readonly key: string; readonly value: string }[];
  readonly dynamic_metadata?: Readonly<Record<string, unknown>>;
}

/** Numbers of `envoy.type.v3.RateLimitUnit`. */
const units = ["UNKNOWN", "SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "YEAR", "WEEK"];

/** Reads the corpus, plain or gzipped, one config a line. */
export function readRateLimitCorpus(file: string): RateLimitCase[] {
  const bytes = readFileSync(file);
  const text = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as RateLimitCase);
}

/** The request as the codec would give it. */
export function requestOf(json: RequestJson): RateLimitRequest {
  return {
    domain: json.domain,
    descriptors: json.descriptors.map(({ entries, limit, hits_addend }) => ({
      entries: entries.map(({ key, value = "" }) => ({ key, value })),
      limit: limit && { requestsPerUnit: limit.requests_per_unit, unit: units.indexOf(limit.unit) },
      hitsAddend: hits_addend === undefined ? undefined : BigInt(hits_addend),
      isNegative: false,
    })),
    hitsAddend: json.hits_addend ?? 0,
  };
}

/** An answer in the corpus' form. `resetHeader`: whose value is masked. */
export function responseOf(answer: RateLimitAnswer, resetHeader: string): ResponseJson {
  return {
    overall_code: answer.code,
    statuses: answer.statuses.map((status) => ({
      code: status.code,
      current_limit:
        status.currentLimit === undefined
          ? null
          : {
              name: status.currentLimit.name,
              requests_per_unit: status.currentLimit.requestsPerUnit,
              unit: status.currentLimit.unit ?? "UNKNOWN",
            },
      limit_remaining: status.limitRemaining,
      duration_until_reset: status.durationUntilReset === undefined ? null : "MASKED",
    })),
    response_headers_to_add: answer.responseHeaders.map(([key, value]) => ({
      key,
      value: key === resetHeader ? "MASKED" : value,
    })),
    ...(answer.dynamicMetadata === undefined ? {} : { dynamic_metadata: answer.dynamicMetadata }),
  };
}
