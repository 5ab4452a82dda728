import { GatehouseError } from "../diagnostics/index.js";
import type { SharedPatterns } from "./counter-key.js";
import type { DescriptorConfig, DescriptorStatus, Unit } from "./model.js";
import { unitSeconds } from "./windows.js";

type CurrentLimit = NonNullable<DescriptorStatus["currentLimit"]>;

/** What applies to a descriptor and is counted. */
export interface CountedLimit {
  readonly isUnlimited: false;
  readonly current: CurrentLimit;
  readonly unit: Unit;
  readonly seconds: number;
  readonly requestsPerUnit: number;
  /** Hits above it, up to the limit, are near the limit. */
  readonly nearThreshold: number;
  readonly name: string;
  readonly replaces: readonly string[];
  readonly shadowMode: boolean;
  readonly quotaMode: boolean;
  readonly detailedMetric: boolean;
  /** For statistics. */
  readonly path: readonly string[];
  /** Undefined: each value is counted for itself. */
  readonly patterns: SharedPatterns | undefined;
}

/** What applies to a descriptor and lets everything pass. */
export interface NoLimit {
  readonly isUnlimited: true;
  readonly name: string;
  readonly replaces: readonly string[];
}

export type AppliedLimit = CountedLimit | NoLimit;

/**
 * The limit of a descriptor of a config file, if it has one; `path` are the names from the domain down to it.
 */
export function compileLimit(
  descriptor: DescriptorConfig,
  path: readonly string[],
  nearLimitRatio: number,
): AppliedLimit | undefined {
  const { rateLimit } = descriptor;
  if (rateLimit === undefined) {
    return undefined;
  }
  const { unit, requestsPerUnit, name, replaces } = rateLimit;
  if (rateLimit.unlimited) {
    return { isUnlimited: true, name, replaces };
  }
  if (unit === undefined) {
    throw new GatehouseError("source", `the limit of \`${path.join(".")}\` has no unit`);
  }
  return {
    isUnlimited: false,
    current: { name, requestsPerUnit, unit },
    unit,
    seconds: unitSeconds[unit],
    requestsPerUnit,
    nearThreshold: nearThreshold(requestsPerUnit, nearLimitRatio),
    name,
    replaces,
    shadowMode: descriptor.shadowMode,
    quotaMode: descriptor.quotaMode,
    detailedMetric: descriptor.detailedMetric,
    path,
    patterns: undefined,
  };
}

/** In float32, as the peer: 0.7 times 90 is 63 there, and less than 63 in double precision. */
export function nearThreshold(requestsPerUnit: number, ratio: number): number {
  return Math.floor(Math.fround(Math.fround(requestsPerUnit) * Math.fround(ratio)));
}
