import type { AdditionRequest, CounterStore, QuotaDomains } from "../../src/quota/index.js";
import {
  createRateLimits,
  type DescriptorConfig,
  type DescriptorRequest,
  defaultRateLimitSettings,
  type LocalCache,
  type RateLimitAnswer,
  type RateLimitFile,
  type RateLimitRequest,
  type RateLimitSettings,
  type RateLimits,
  type Unit,
} from "../../src/ratelimit/index.js";
import { createAdditionsStore } from "./additions-store.js";

/** A descriptor of a config file; without `rateLimit` it has no limit. */
export function aDescriptor(parts: Partial<DescriptorConfig> & { readonly key: string }): DescriptorConfig {
  return {
    value: "",
    rateLimit: undefined,
    descriptors: [],
    shadowMode: false,
    quotaMode: false,
    detailedMetric: false,
    valueToMetric: false,
    shareThreshold: false,
    line: 1,
    column: 1,
    ...parts,
  };
}

type Limit = NonNullable<DescriptorConfig["rateLimit"]>;

/** So many requests in a unit. */
export function aLimit(requestsPerUnit: number, unit: Unit = "HOUR", parts: Partial<Limit> = {}): Limit {
  return { unit, requestsPerUnit, unlimited: false, name: "", replaces: [], ...parts };
}

/** A limit that lets everything pass. */
export function anUnlimited(parts: Partial<Limit> = {}): Limit {
  return { unit: undefined, requestsPerUnit: 0, unlimited: true, name: "", replaces: [], ...parts };
}

/** A descriptor of a call, as pairs of key and value. */
export function asking(
  pairs: readonly (readonly [key: string, value: string])[],
  parts: Partial<DescriptorRequest> = {},
): DescriptorRequest {
  const entries = pairs.map(([key, value]) => ({ key, value }));
  return { entries, limit: undefined, hitsAddend: undefined, isNegative: false, ...parts };
}

/** A call. */
export function aCall(domain: string, ...descriptors: readonly DescriptorRequest[]): RateLimitRequest {
  return { domain, descriptors, hitsAddend: 0 };
}

/** 13:08:29 in UTC: no window but a minute's or a second's begins with another. */
export const someTime = 1_795_266_509_000;

/** Rate limits on a store that only adds, with all that they did in sight. */
export function aRateLimiter(
  files: readonly RateLimitFile[],
  options: {
    readonly settings?: Partial<RateLimitSettings>;
    readonly store?: CounterStore;
    readonly now?: () => number;
    readonly random?: () => number;
    readonly localCache?: LocalCache;
    readonly quotas?: QuotaDomains;
  } = {},
): {
  readonly limits: RateLimits;
  readonly added: readonly AdditionRequest[];
  readonly told: readonly string[];
} {
  const added: AdditionRequest[] = [];
  const told: string[] = [];
  const store = options.store ?? createAdditionsStore();
  const limits = createRateLimits(files, options.quotas, {
    settings: { ...defaultRateLimitSettings, ...options.settings },
    store: {
      ...store,
      add: (request) => {
        added.push(request);
        return store.add(request);
      },
    },
    now: options.now ?? (() => someTime),
    random: options.random ?? (() => 0),
    localCache: options.localCache,
    observer: {
      counted: (path, kind, hits) => told.push(`${path.join(".")}.${kind} ${hits}`),
      domainNotFound: (domain) => told.push(`${domain}.domain_not_found`),
    },
  });
  return { limits, added, told };
}

/** Asks for a domain's descriptors, of a store that answers at once. */
export function askAtOnce(
  limits: RateLimits,
  domain: string,
  ...descriptors: readonly DescriptorRequest[]
): RateLimitAnswer {
  const answer = limits.decide(aCall(domain, ...descriptors));
  if (answer instanceof Promise) throw new Error("the store was to answer at once");
  return answer;
}
