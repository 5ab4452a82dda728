import { type CountedLimit, nearThreshold } from "./applied-limit.js";
import type { DescriptorRequest } from "./model.js";
import { RateLimitError } from "./rate-limit-error.js";
import { overridePath } from "./statistics-path.js";
import { unitOfNumber, unitSeconds } from "./windows.js";

/**
 * The limit that a request brings for a descriptor. It stands in place of the config file's with all its
 * modes, and shares its counter where the unit is the same.
 */
export function overridingLimit(
  domain: string,
  descriptor: DescriptorRequest,
  limit: NonNullable<DescriptorRequest["limit"]>,
  nearLimitRatio: number,
): CountedLimit {
  const { requestsPerUnit } = limit;
  const unit = unitOfNumber(limit.unit);
  if (unit === undefined) {
    throw new RateLimitError(
      "bad_override",
      `unknown unit \`${limit.unit}\` in the limit of a descriptor, expected 1 to 7`,
    );
  }
  return {
    isUnlimited: false,
    current: { name: "", requestsPerUnit, unit },
    unit,
    seconds: unitSeconds[unit],
    requestsPerUnit,
    nearThreshold: nearThreshold(requestsPerUnit, nearLimitRatio),
    name: "",
    replaces: [],
    shadowMode: false,
    quotaMode: false,
    detailedMetric: false,
    path: overridePath(domain, descriptor.entries),
    patterns: undefined,
  };
}
