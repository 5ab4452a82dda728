import { dynamicMetadata } from "./dynamic-metadata.js";
import type { DescriptorStatus, RateLimitAnswer, RateLimitRequest, RateLimitSettings } from "./model.js";

/** What a descriptor came to, before the modes that only tell. */
export interface Verdict {
  readonly status: DescriptorStatus;
  /** Of a limit that only tells that it is over. */
  readonly quotaMode: boolean;
}

const none: RateLimitAnswer["responseHeaders"] = Object.freeze([]);

/**
 * The answer to a call by what its descriptors came to: over its limit where one of them is. `quota_mode` and
 * QUOTA_MODE make OK of what is over and name it in the metadata; SHADOW_MODE leaves the descriptors as they
 * are.
 */
export function answerOf(
  request: RateLimitRequest,
  verdicts: readonly Verdict[],
  settings: RateLimitSettings,
): RateLimitAnswer {
  const violations: number[] = [];
  let isOver = false;
  let hasQuotaMode = false;
  const statuses = verdicts.map(({ status, quotaMode }, index) => {
    hasQuotaMode ||= quotaMode;
    if (status.code === "OK") {
      return status;
    }
    if (quotaMode || settings.quotaMode) {
      violations.push(index);
      return { ...status, code: "OK" as const, durationUntilReset: undefined };
    }
    isOver = true;
    return status;
  });
  return {
    code: isOver && !settings.shadowMode ? "OVER_LIMIT" : "OK",
    statuses,
    responseHeaders: headersOf(verdicts, settings),
    dynamicMetadata: settings.dynamicMetadata
      ? dynamicMetadata(request, violations, hasQuotaMode)
      : undefined,
  };
}

/**
 * Of the last descriptor that refuses, else of the one with the least remaining, the first of equals; none of
 * one that has everything that a uint32 can hold.
 */
function headersOf(
  verdicts: readonly Verdict[],
  settings: RateLimitSettings,
): RateLimitAnswer["responseHeaders"] {
  const { headers } = settings;
  if (headers === undefined) {
    return none;
  }
  let leading: DescriptorStatus | undefined;
  let least = 0xffff_ffff;
  for (const { status, quotaMode } of verdicts) {
    const refuses = status.code === "OVER_LIMIT" && !quotaMode && !settings.quotaMode;
    if (status.currentLimit !== undefined && (refuses || status.limitRemaining < least)) {
      leading = status;
      least = status.limitRemaining;
    }
  }
  if (leading?.currentLimit === undefined) {
    return none;
  }
  return [
    [headers.limit, String(leading.currentLimit.requestsPerUnit)],
    [headers.remaining, String(leading.limitRemaining)],
    [headers.reset, String(leading.durationUntilReset ?? 0)],
  ];
}
