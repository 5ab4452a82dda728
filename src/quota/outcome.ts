import type { Attributes, Workload } from "../attributes/index.js";
import type { Answer, CounterState } from "./store.js";

/** What a request is for a quota: as the stages before left it. */
export interface QuotaRequest {
  readonly attributes: Attributes;
  readonly workload: Workload | undefined;
}

/** What one quota made of a request; for the record. */
export interface QuotaFact {
  /** `NAMESPACE/NAME`. */
  readonly quota: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly cost: number;
  readonly counter: CounterState;
}

/** Why a quota refuses. */
export interface QuotaRefusal {
  /** `NAMESPACE/NAME`. */
  readonly quota: string;
  /** `over_limit`: a counter says so; `store_failed`: nobody could say, and `onStoreFailure` denies. */
  readonly reason: "over_limit" | "store_failed";
  readonly status: number;
  readonly body: string;
}

/** What all quotas together made of a request. */
export interface QuotaOutcome {
  /** Undefined: none refuses. */
  readonly refused: QuotaRefusal | undefined;
  /** For the caller, on a refusal and on what passes: how much is left, and the refusal's own headers. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** One for each quota that was counted and is not on trial. */
  readonly facts: readonly QuotaFact[];
  /** Of quotas on trial. */
  readonly dryRun: readonly { readonly quota: string; readonly result: "allowed" | "denied" }[];
  /** The store could not be asked, and an `onStoreFailure` of `allow` let the request pass. */
  readonly failedOpen: boolean;
}

/** The quotas of one workload, ready to be asked. Neither throws nor rejects. */
export interface QuotaStage {
  /** Counts. At once where the store answers at once. */
  charge(request: QuotaRequest): Answer<QuotaOutcome>;
  /** Counts a request that was refused before, for the quotas that want it; undefined: none does. Changes no answer. */
  readonly chargeRefused: ((request: QuotaRequest) => void) | undefined;
}

/** How quotas tell callers what is left: the IETF draft's fields, the older ones, or not at all. */
export type QuotaHeaders = "rateLimit" | "xRateLimit" | "none";

/** Told of what quotas do, for metrics. Must not throw. */
export interface QuotaObserver {
  /** `quota` is `NAMESPACE/NAME` of a resource, never a value of a request. */
  charged(quota: string, result: "allowed" | "refused" | "trial_allowed" | "trial_refused"): void;
  /** An expression could not be evaluated, so the quota was applied to its most general key. */
  expressionFailed(quota: string, use: "match" | "dimensions" | "cost" | "charge_id"): void;
  /** The store could not be asked; what was done instead. */
  storeFailed(quota: string, outcome: "allowed" | "denied" | "local"): void;
}
