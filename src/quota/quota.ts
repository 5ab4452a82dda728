import type { Selector } from "../documents/index.js";
import type { Allowance } from "./store.js";

/** What happens to a request while its counters cannot be reached. */
export type OnStoreFailure = "allow" | "deny" | "local";

/** One part of what a quota tells callers apart by. */
export interface Dimension {
  /** Unique within the quota; an attribute that is written without a name is its own name. */
  readonly name: string;
  /** CEL that gives a text, a number or a boolean. */
  readonly value: string;
}

/** Another allowance for some values of the dimensions. */
export interface Override {
  /** By dimension name: the value as it is, `prefix*`, `*suffix`, or `*`; all must match, those not named match all. */
  readonly dimensions: readonly (readonly [name: string, pattern: string])[];
  /** Undefined: nothing is counted and everything passes. */
  readonly allowance: Allowance | undefined;
}

/** How a refusal looks. */
export interface QuotaResponse {
  readonly status: number;
  readonly body: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Which calls of Envoy's rate limit service are counted by a quota. */
export interface RateLimitMapping {
  readonly domain: string;
  /** The keys of a descriptor's entries, in order, each with the dimension that its value is. */
  readonly descriptor: readonly (readonly [key: string, dimension: string])[];
}

/** A Quota document: plain data that survives a structured clone. */
export interface Quota {
  readonly namespace: string;
  readonly name: string;
  readonly selector: Selector | undefined;
  /** CEL that gives a boolean; undefined: every request. */
  readonly match: string | undefined;
  readonly dimensions: readonly Dimension[];
  readonly allowance: Allowance;
  /** CEL that gives a whole number from 0 on; undefined: 1. */
  readonly cost: string | undefined;
  /** The first that matches counts. */
  readonly overrides: readonly Override[];
  readonly dryRun: boolean;
  readonly onStoreFailure: OnStoreFailure;
  /** Of `local`: the part of the limit that one process may grant, above 0, at most 1. */
  readonly localShare: number;
  readonly response: QuotaResponse;
  /** CEL that names the charge, so that a repeated one is not counted; undefined: every request is. */
  readonly chargeId: string | undefined;
  /** Requests that authentication or authorization refuses are counted too. */
  readonly chargesRefused: boolean;
  readonly rateLimit: RateLimitMapping | undefined;
}
