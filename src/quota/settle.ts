import { after } from "./after.js";
import { chargeOfRequest, MAX_UNITS } from "./charges.js";
import type { CompiledQuota } from "./compile-quota.js";
import type { Ledger } from "./ledger.js";
import type { QuotaObserver, QuotaRequest } from "./outcome.js";
import type { Answer } from "./store.js";

/** What a request turned out to use of a quota. */
export interface Used {
  /** As it was when it was charged. */
  readonly request: QuotaRequest;
  /** What it was charged then, 0 where it was not. Of a quota on trial, of which nobody says it, its `cost` counts. */
  readonly reserved: number;
  /** In the end; from 0 on. */
  readonly units: number;
  /** Since it was charged. */
  readonly agoMs: number;
}

/**
 * What became of the difference; a closed set. `even`: there was none; `taken`: it fitted; `overdrawn`: it did not, and is
 * owed; `given_back`; `uncounted`: the quota does not count this request; `lost`: the counters could not be reached.
 */
export type Settlement = "even" | "taken" | "overdrawn" | "given_back" | "uncounted" | "lost";

/** What settling works with. */
export interface SettlePorts {
  readonly ledger: Ledger;
}

/**
 * Charges the difference between what a request used and what it was charged: more is counted though it may lead beyond
 * the limit, less is given back out of the window in which it was charged. Each step is one of the store, so whatever is
 * under way at the same time, counters show the sum of what was used. Neither throws nor rejects.
 */
export function settle(compiled: CompiledQuota, used: Used, { ledger }: SettlePorts): Answer<Settlement> {
  const { request, units, agoMs } = used;
  const made = chargeOfRequest(compiled, request, silent, compiled.quota.dryRun);
  if (made === undefined) return "uncounted";
  const reserved = compiled.quota.dryRun ? made.charge.cost : used.reserved;
  const difference = Math.ceil(units) - reserved;
  if (difference === 0) return "even";
  const cost = Math.min(MAX_UNITS, Math.abs(difference));
  const charges = [{ ...made.charge, cost, id: undefined }];
  if (difference < 0) {
    return after(ledger.refund([compiled], charges, agoMs), ({ counters }) =>
      counters[0] === undefined ? "lost" : "given_back",
    );
  }
  return after(ledger.debit([compiled], charges), ({ counters }) => {
    const [counter] = counters;
    if (counter === undefined) return "lost";
    return counter.allowed ? "taken" : "overdrawn";
  });
}

/** What cannot be evaluated was told of when the request was charged. */
const silent: QuotaObserver = { charged: () => {}, expressionFailed: () => {}, storeFailed: () => {} };
