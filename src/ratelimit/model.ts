/** Spans of time that a limit may have, by envoyproxy/ratelimit's names. */
export type Unit = "SECOND" | "MINUTE" | "HOUR" | "DAY" | "WEEK" | "MONTH" | "YEAR";

/** `rate_limit` of a descriptor. */
export interface Limit {
  /** Undefined exactly when unlimited. */
  readonly unit: Unit | undefined;
  /** uint32; 0 where the file says none: everything is over it. */
  readonly requestsPerUnit: number;
  readonly unlimited: boolean;
  /** Empty without one. */
  readonly name: string;
  /** Names of limits that this one replaces. */
  readonly replaces: readonly string[];
}

/** One node of a domain's tree, as the file has it. */
export interface DescriptorConfig {
  readonly key: string;
  /** Empty: any value. */
  readonly value: string;
  readonly rateLimit: Limit | undefined;
  readonly descriptors: readonly DescriptorConfig[];
  readonly shadowMode: boolean;
  readonly quotaMode: boolean;
  readonly detailedMetric: boolean;
  readonly valueToMetric: boolean;
  readonly shareThreshold: boolean;
  /** 1-based, in the file's text. */
  readonly line: number;
  readonly column: number;
}

/** A config file of envoyproxy/ratelimit: plain data that survives a structured clone. */
export interface RateLimitFile {
  readonly domain: string;
  /** Where the domain stands in the file's text, 1-based; for what is said about the file beside others. */
  readonly domainPlace?: { readonly line: number; readonly column: number };
  readonly descriptors: readonly DescriptorConfig[];
}

/** The peer's settings, by its environment variables; see `readRateLimitSettings`. */
export interface RateLimitSettings {
  /** LIMIT_RESPONSE_HEADERS_ENABLED, LIMIT_LIMIT_HEADER, LIMIT_REMAINING_HEADER, LIMIT_RESET_HEADER. */
  readonly headers:
    | { readonly limit: string; readonly remaining: string; readonly reset: string }
    | undefined;
  /** LOCAL_CACHE_SIZE_IN_BYTES; 0: none. */
  readonly localCacheBytes: number;
  /** STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT. */
  readonly stopsWhenOver: boolean;
  /** SHADOW_MODE. */
  readonly shadowMode: boolean;
  /** QUOTA_MODE. */
  readonly quotaMode: boolean;
  /** RESPONSE_DYNAMIC_METADATA. */
  readonly dynamicMetadata: boolean;
  /** CACHE_KEY_PREFIX. */
  readonly keyPrefix: string;
  /** MERGE_DOMAIN_CONFIG. */
  readonly mergeDomains: boolean;
  /** NEAR_LIMIT_RATIO. */
  readonly nearLimitRatio: number;
  /** EXPIRATION_JITTER_MAX_SECONDS. */
  readonly jitterSeconds: number;
  /** RUNTIME_IGNOREDOTFILES. */
  readonly ignoresDotFiles: boolean;
  /** Ours: counter keys are the peer's byte by byte, collisions included, so that both can share a Redis. */
  readonly sharedKeys: boolean;
}

/** One entry list of a request. */
export interface DescriptorRequest {
  readonly entries: readonly { readonly key: string; readonly value: string }[];
  /** `limit` of the descriptor; `unit` as the number of the wire, which may be none that exists. */
  readonly limit: { readonly requestsPerUnit: number; readonly unit: number } | undefined;
  /** The wrapper's value where it is present; 0 looks without counting. */
  readonly hitsAddend: number | bigint | undefined;
  /** `is_negative_hits`: gives back. */
  readonly isNegative: boolean;
}

/** A ShouldRateLimit call. */
export interface RateLimitRequest {
  readonly domain: string;
  readonly descriptors: readonly DescriptorRequest[];
  /** 0 where absent. */
  readonly hitsAddend: number;
}

/** What became of one descriptor. */
export interface DescriptorStatus {
  readonly code: "OK" | "OVER_LIMIT";
  /** `unit` is undefined where a Quota's window has the length of none. */
  readonly currentLimit:
    | { readonly name: string; readonly requestsPerUnit: number; readonly unit: Unit | undefined }
    | undefined;
  readonly limitRemaining: number;
  /** Seconds; undefined: not said. */
  readonly durationUntilReset: number | undefined;
}

/** What became of a call. */
export interface RateLimitAnswer {
  readonly code: "OK" | "OVER_LIMIT";
  /** One for each descriptor, in order. */
  readonly statuses: readonly DescriptorStatus[];
  readonly responseHeaders: readonly (readonly [name: string, value: string])[];
  /** For Envoy's dynamic metadata; plain JSON data. */
  readonly dynamicMetadata: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Told of hits by the name that the peer gives a limit in its statistics. Must not throw. `path` is the domain and the
 * keys below it (`edge`, `client_alice`, …); values of requests are in it where the config file asks for them.
 */
export interface RateLimitObserver {
  counted(
    path: readonly string[],
    kind:
      | "total_hits"
      | "within_limit"
      | "near_limit"
      | "over_limit"
      | "over_limit_with_local_cache"
      | "shadow_mode",
    hits: number,
  ): void;
  domainNotFound(domain: string): void;
}
