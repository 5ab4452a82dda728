import type { Answer, MappedState, QuotaDomains } from "../quota/index.js";
import type { Verdict } from "./answer.js";
import { hitsOf } from "./hits.js";
import type { DescriptorStatus, RateLimitRequest } from "./model.js";
import { unmatched } from "./statuses.js";
import { unitOfSeconds } from "./windows.js";

/** What an answer has room for: the longest window that is carried over ends later than in so many seconds. */
const most = 0xffff_ffff;

/**
 * What a domain's Quotas say to the descriptors of a call. Limits that the descriptors bring themselves do
 * not count.
 */
export function verdictsOfQuotas(
  quotas: QuotaDomains,
  request: RateLimitRequest,
): Answer<readonly Verdict[]> {
  const descriptors = request.descriptors.map((descriptor) => ({
    entries: descriptor.entries,
    hits: Number(hitsOf(descriptor, request.hitsAddend)),
    isNegative: descriptor.isNegative,
  }));
  const states = quotas.charge(request.domain, descriptors);
  return states instanceof Promise ? states.then(verdicts) : verdicts(states);
}

function verdicts(states: readonly (MappedState | undefined)[]): readonly Verdict[] {
  return states.map((state) => ({
    status: state === undefined ? unmatched : statusOf(state),
    quotaMode: false,
  }));
}

function statusOf(state: MappedState): DescriptorStatus {
  return {
    code: state.allowed ? "OK" : "OVER_LIMIT",
    currentLimit: {
      name: state.quota,
      requestsPerUnit: state.limit,
      unit: unitOfSeconds(state.windowMs / 1000),
    },
    limitRemaining: state.allowed ? Math.min(state.remaining, most) : 0,
    durationUntilReset: Math.min(Math.ceil(state.resetMs / 1000), most),
  };
}
