import { createCounterKeys } from "./counter-key.js";
import { compileDomains } from "./domains.js";
import { findLimit } from "./lookup.js";
import type { DescriptorRequest, RateLimitFile, RateLimitSettings, Unit } from "./model.js";
import { secondsUntilReset } from "./windows.js";

/** What config files make of one descriptor. */
export type InspectedDescriptor =
  | { readonly kind: "unknown_domain" | "no_limit" | "unlimited" }
  | {
      readonly kind: "counted";
      /** Of the counter, as the store knows it; its group is the domain. */
      readonly key: string;
      readonly requestsPerUnit: number;
      readonly unit: Unit;
      /** Empty without one. */
      readonly name: string;
      readonly shadowMode: boolean;
      /** Until the window ends, from 1 to the unit's length. */
      readonly resetSeconds: number;
    };

/**
 * Which counter a call with this one descriptor would be counted on, for who looks at it or resets it. What a call can
 * change by itself (a limit that it brings, `replaces`) is left out. Compiles the files, so it is not for requests.
 */
export function inspectDescriptor(
  files: readonly RateLimitFile[],
  { domain: name, entries }: { readonly domain: string; readonly entries: DescriptorRequest["entries"] },
  settings: RateLimitSettings,
  nowMs: number,
): InspectedDescriptor {
  const keys = createCounterKeys(settings);
  const domain = compileDomains(files, { keys, nearLimitRatio: settings.nearLimitRatio }).get(name);
  if (domain === undefined) return { kind: "unknown_domain" };
  const limit = findLimit(domain, entries);
  if (limit === undefined) return { kind: "no_limit" };
  if (limit.isUnlimited) return { kind: "unlimited" };
  const seconds = Math.floor(nowMs / 1000);
  return {
    kind: "counted",
    key: keys.key(domain.keyStart, entries, limit.patterns, limit.unit, seconds),
    requestsPerUnit: limit.requestsPerUnit,
    unit: limit.unit,
    name: limit.name,
    shadowMode: limit.shadowMode,
    resetSeconds: secondsUntilReset(limit.unit, seconds),
  };
}
