import type { AppliedLimit } from "./applied-limit.js";
import type { Domain } from "./domains.js";
import { findLimit } from "./lookup.js";
import type { RateLimitRequest } from "./model.js";
import { overridingLimit } from "./override.js";

/**
 * For each descriptor of a call what applies to it, undefined where nothing does: its own limit, else the
 * config file's, but none whose name another one of this call replaces. Two that replace each other both go,
 * and one that is unlimited replaces too.
 */
export function appliedLimits(
  request: RateLimitRequest,
  domain: Domain,
  nearLimitRatio: number,
): (AppliedLimit | undefined)[] {
  const limits: (AppliedLimit | undefined)[] = [];
  let replaced: Set<string> | undefined;
  for (const descriptor of request.descriptors) {
    const limit =
      descriptor.limit === undefined
        ? findLimit(domain, descriptor.entries)
        : overridingLimit(domain.name, descriptor, descriptor.limit, nearLimitRatio);
    limits.push(limit);
    if (limit !== undefined && limit.replaces.length > 0) {
      replaced ??= new Set();
      for (const name of limit.replaces) {
        replaced.add(name);
      }
    }
  }
  if (replaced !== undefined) {
    for (const [index, limit] of limits.entries()) {
      if (limit?.isUnlimited === false && limit.name !== "" && replaced.has(limit.name)) {
        limits[index] = undefined;
      }
    }
  }
  return limits;
}
