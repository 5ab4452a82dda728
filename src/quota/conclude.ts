import type { CompiledQuota, KeyedAllowance } from "./compile-quota.js";
import { type HeaderLine, retryAfterSeconds, type Usage, type WriteHeaders } from "./headers.js";
import type { LedgerResult } from "./ledger.js";
import type { QuotaFact, QuotaObserver, QuotaOutcome, QuotaRefusal } from "./outcome.js";
import type { Charge } from "./store.js";

/** What one request is charged: lists of equal length, in the order of the quotas. */
export interface Charged {
  /** Of the quotas in the stage. */
  readonly places: readonly number[];
  readonly quotas: readonly CompiledQuota[];
  readonly keyed: readonly KeyedAllowance[];
  readonly charges: readonly Charge[];
}

/** How a quota refuses; all that depends on no request. */
export interface PreparedRefusal {
  readonly overLimit: QuotaRefusal;
  readonly storeFailed: QuotaRefusal;
  readonly headers: readonly HeaderLine[];
  readonly headerNames: ReadonlySet<string>;
}

/** What the outcome of a request is made with. */
export interface Conclusion {
  readonly write: WriteHeaders;
  /** One for each quota of the stage. */
  readonly refusals: readonly PreparedRefusal[];
  readonly observer: QuotaObserver;
}

const noDryRun: QuotaOutcome["dryRun"] = [];

/** The outcome of a request that no quota counts. */
export const nothingCharged: QuotaOutcome = {
  refused: undefined,
  headers: [],
  facts: [],
  dryRun: noDryRun,
  failedOpen: false,
};

/**
 * Prepares the refusals of a quota. That nobody could count is not the caller's fault, so it is 503 with an empty body
 * and none of the headers of `response`.
 */
export function prepareRefusal({ quota, id }: CompiledQuota): PreparedRefusal {
  const { status, body, headers } = quota.response;
  return {
    overLimit: { quota: id, reason: "over_limit", status, body },
    storeFailed: { quota: id, reason: "store_failed", status: 503, body: "" },
    headers,
    headerNames: new Set(headers.map(([name]) => name)),
  };
}

/** Makes the outcome of what the ledger says. */
export function conclude(
  { places, quotas, keyed, charges }: Charged,
  { allowed, counters, failure }: LedgerResult,
  { write, refusals, observer }: Conclusion,
): QuotaOutcome {
  const used: Usage[] = [];
  const facts: QuotaFact[] = [];
  let dryRun: { quota: string; result: "allowed" | "denied" }[] | undefined;
  let longest: Usage | undefined;
  let unasked: number | undefined;
  let failedOpen = false;
  for (let i = 0; i < quotas.length; i++) {
    const [place, compiled, own, charge] = [places[i], quotas[i], keyed[i], charges[i]];
    if (place === undefined || compiled === undefined || own === undefined || charge === undefined) continue;
    const { id, quota } = compiled;
    const counter = counters[i];
    const refuses = counter === undefined ? failure?.fates[i] === "denied" : !counter.allowed;
    if (quota.dryRun) {
      dryRun ??= [];
      dryRun.push({ quota: id, result: refuses ? "denied" : "allowed" });
      observer.charged(id, refuses ? "trial_refused" : "trial_allowed");
      continue;
    }
    if (refuses) observer.charged(id, "refused");
    else if (allowed) observer.charged(id, "allowed");
    if (counter === undefined) {
      if (refuses) unasked ??= place;
      else if (allowed) failedOpen = true;
      continue;
    }
    const usage = { place, keyed: own, counter };
    used.push(usage);
    const { limit, windowMs, cost } = charge;
    facts.push({ quota: id, limit, windowMs, cost, counter });
    if (refuses && (longest === undefined || counter.retryMs > longest.counter.retryMs)) longest = usage;
  }
  const trials = dryRun ?? noDryRun;
  // A store that refuses and does not say for whom is not believed to have counted.
  const failed = unasked ?? (allowed || longest !== undefined ? undefined : places[0]);
  if (failed !== undefined) {
    const refused = refusals[failed]?.storeFailed;
    return { refused, headers: write(used, undefined), facts, dryRun: trials, failedOpen: false };
  }
  if (longest === undefined) {
    return { refused: undefined, headers: write(used, undefined), facts, dryRun: trials, failedOpen };
  }
  const refusal = refusals[longest.place];
  const headers = headersOfRefusal(write(used, longest), longest, refusal);
  return { refused: refusal?.overLimit, headers, facts, dryRun: trials, failedOpen: false };
}

/** What `response.headers` says stands in the place of ours. */
function headersOfRefusal(
  ours: readonly HeaderLine[],
  { counter }: Usage,
  refusal: PreparedRefusal | undefined,
): readonly HeaderLine[] {
  const all: HeaderLine[] = [...ours, ["retry-after", String(retryAfterSeconds(counter))]];
  if (refusal === undefined || refusal.headers.length === 0) return all;
  return [...all.filter(([name]) => !refusal.headerNames.has(name)), ...refusal.headers];
}
