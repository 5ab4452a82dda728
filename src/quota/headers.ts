import type { CompiledQuota, KeyedAllowance } from "./compile-quota.js";
import type { QuotaHeaders } from "./outcome.js";
import type { CounterState } from "./store.js";

/** A response header; the name in lower case. */
export type HeaderLine = readonly [name: string, value: string];

/** What a request used of one quota that callers are told of. */
export interface Usage {
  /** Of the quota in the list that the headers were made for. */
  readonly place: number;
  readonly keyed: KeyedAllowance;
  readonly counter: CounterState;
}

/** Tells what is left; `refusing` is what answers a refusal, undefined when the request passes. */
export type WriteHeaders = (used: readonly Usage[], refusing: Usage | undefined) => readonly HeaderLine[];

/** Prepares the headers of these quotas; what depends on no request is written here. */
export function prepareHeaders(quotas: readonly CompiledQuota[], headers: QuotaHeaders): WriteHeaders {
  if (headers === "rateLimit") return rateLimitFields(quotas);
  return headers === "xRateLimit" ? (used, refusing) => xRateLimit(refusing ?? tightest(used)) : () => [];
}

/** Seconds of `retry-after` (RFC 9110 section 10.2.3), at least 1. */
export function retryAfterSeconds({ retryMs }: CounterState): number {
  return Math.max(1, Math.ceil(retryMs / 1000));
}

/** The usage with the least left; undefined without any. */
export function tightest(used: readonly Usage[]): Usage | undefined {
  let found: Usage | undefined;
  for (const usage of used) {
    if (found === undefined || usage.counter.remaining < found.counter.remaining) found = usage;
  }
  return found;
}

/** `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-10, each one list of all quotas. */
function rateLimitFields(quotas: readonly CompiledQuota[]): WriteHeaders {
  const names = quotas.map((quota) => sfString(shownName(quota, quotas)));
  const policies = quotas.map(({ allowances }, place) =>
    allowances.map((keyed) => policyItem(names[place] ?? "", keyed)),
  );
  return (used) => {
    if (used.length === 0) return [];
    let policy = "";
    let limit = "";
    for (const { place, keyed, counter } of used) {
      if (policy !== "") {
        policy += ", ";
        limit += ", ";
      }
      policy += policies[place]?.[keyed.index] ?? "";
      limit += `${names[place]};r=${counter.remaining}`;
      if (keyed.allowance.algorithm !== "concurrency") limit += `;t=${Math.ceil(counter.resetMs / 1000)}`;
    }
    return [
      ["ratelimit-policy", policy],
      ["ratelimit", limit],
    ];
  };
}

/** A window is rounded up to whole seconds, so that who keeps to it stays within the limit. */
function policyItem(name: string, { allowance: { algorithm, limit, windowMs } }: KeyedAllowance): string {
  if (algorithm === "concurrency") return `${name};q=${limit};qu="concurrent-requests"`;
  return `${name};q=${limit};w=${Math.ceil(windowMs / 1000)}`;
}

/** What the widespread `x-ratelimit-*` have room for: one quota. */
function xRateLimit(usage: Usage | undefined): readonly HeaderLine[] {
  if (usage === undefined) return [];
  const { keyed, counter } = usage;
  return [
    ["x-ratelimit-limit", String(keyed.allowance.limit)],
    ["x-ratelimit-remaining", String(counter.remaining)],
    ["x-ratelimit-reset", String(Math.ceil(counter.resetMs / 1000))],
  ];
}

/** Without its namespace where that is clear enough. */
function shownName({ quota, id }: CompiledQuota, all: readonly CompiledQuota[]): string {
  return all.filter((other) => other.quota.name === quota.name).length > 1 ? id : quota.name;
}

/** A String of RFC 9651 section 3.3.3, which has printable ASCII only. */
function sfString(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]/g, "?");
  return `"${printable.replace(/["\\]/g, "\\$&")}"`;
}
