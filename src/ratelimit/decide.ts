import { type Answer, after, type CounterStore, type QuotaDomains } from "../quota/index.js";
import { answerOf, type Verdict } from "./answer.js";
import type { AppliedLimit } from "./applied-limit.js";
import { createCounterKeys } from "./counter-key.js";
import { additionsOf, type Count, countsOf } from "./counts.js";
import { compileDomains, type Domain } from "./domains.js";
import type { LocalCache } from "./local-cache.js";
import type {
  RateLimitAnswer,
  RateLimitFile,
  RateLimitObserver,
  RateLimitRequest,
  RateLimitSettings,
} from "./model.js";
import { verdictsOfQuotas } from "./quota-domain.js";
import { RateLimitError } from "./rate-limit-error.js";
import { appliedLimits } from "./request-limits.js";
import { createStatistics } from "./statistics.js";
import { statusOf, unlimited, unmatched } from "./statuses.js";

/** What decisions need of the outside. */
export interface RateLimitPorts {
  readonly settings: RateLimitSettings;
  readonly store: CounterStore;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly observer: RateLimitObserver;
  /** Undefined: none. One outlives reloads of the config files. */
  readonly localCache: LocalCache | undefined;
}

/** Config files that can be asked. */
export interface RateLimits {
  /**
   * Counts and answers, at once where the store does. Throws RateLimitError before anything was counted;
   * throws or rejects with the store's StoreError, after which hits may have been counted.
   */
  decide(request: RateLimitRequest): Answer<RateLimitAnswer>;
}

const unmatchedVerdict: Verdict = Object.freeze({ status: unmatched, quotaMode: false });
const unlimitedVerdict: Verdict = Object.freeze({ status: unlimited, quotaMode: false });

/**
 * Decides by config files of envoyproxy/ratelimit, with its semantics: hits are counted first and compared
 * then, so that those of a refused call are spent, and every descriptor with a limit is charged, whatever
 * becomes of the others. A domain that Quotas stand for is theirs.
 */
export function createRateLimits(
  files: readonly RateLimitFile[],
  quotas: QuotaDomains | undefined,
  ports: RateLimitPorts,
): RateLimits {
  const { settings, localCache } = ports;
  const keys = createCounterKeys(settings);
  const domains = compileDomains(files, { keys, nearLimitRatio: settings.nearLimitRatio });
  const counting = { keys, localCache };
  const statistics = createStatistics(ports.observer);

  const decideIn = (domain: Domain, request: RateLimitRequest): Answer<RateLimitAnswer> => {
    const limits = appliedLimits(request, domain, settings.nearLimitRatio);
    const now = ports.now();
    const counts = countsOf(request, domain, limits, now, counting);
    for (const count of counts) {
      if (count !== undefined && !count.givesBack) {
        statistics.asked(count.limit, Number(count.hits));
      }
    }
    const finish = (values: readonly number[]): RateLimitAnswer =>
      answerOf(request, verdictsOf(limits, counts, values, now), settings);
    const { additions, stopsWhenOver } = additionsOf(counts, settings, ports.random);
    if (additions.length === 0) {
      return finish([]);
    }
    return after(ports.store.add({ group: domain.name, additions, stopsWhenOver }), finish);
  };

  /** `values` has one for each counter that was asked. */
  const verdictsOf = (
    limits: readonly (AppliedLimit | undefined)[],
    counts: readonly (Count | undefined)[],
    values: readonly number[],
    now: number,
  ): readonly Verdict[] => {
    let next = 0;
    return counts.map((count, index) => {
      if (count === undefined) {
        return limits[index] === undefined ? unmatchedVerdict : unlimitedVerdict;
      }
      const after = count.isKnownOver ? 0 : valueAt(values, next++);
      const status = statusOf(count, after, now, { statistics, localCache });
      return { status, quotaMode: count.limit.quotaMode };
    });
  };

  const decideUnknown = (request: RateLimitRequest): RateLimitAnswer => {
    const verdicts = request.descriptors.map(() => {
      ports.observer.domainNotFound(request.domain);
      return unmatchedVerdict;
    });
    return answerOf(request, verdicts, settings);
  };

  return {
    decide: (request) => {
      checkRequest(request);
      if (quotas?.has(request.domain)) {
        const verdicts = verdictsOfQuotas(quotas, request);
        return after(verdicts, (known) => answerOf(request, known, settings));
      }
      const domain = domains.get(request.domain);
      return domain === undefined ? decideUnknown(request) : decideIn(domain, request);
    },
  };
}

/** Throws RateLimitError for what no configuration could answer, in the order and words of envoyproxy/ratelimit. */
export function checkRequest(request: RateLimitRequest): void {
  if (request.domain === "") {
    throw new RateLimitError("empty_domain", "rate limit domain must not be empty");
  }
  if (request.descriptors.length === 0) {
    throw new RateLimitError("empty_descriptors", "rate limit descriptor list must not be empty");
  }
}

/** A store that forgets a counter, or finds something else in its place, must not let it pass. */
function valueAt(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined || !Number.isFinite(value)) {
    throw new RangeError("the store gave no number for a counter that it was asked for");
  }
  return value;
}
