import { after } from "./after.js";
import { chargeOfRequest } from "./charges.js";
import type { CompiledQuota, KeyedAllowance } from "./compile-quota.js";
import { type Charged, conclude, nothingCharged, prepareRefusal } from "./conclude.js";
import { prepareHeaders } from "./headers.js";
import type { Ledger } from "./ledger.js";
import type { QuotaHeaders, QuotaObserver, QuotaRequest, QuotaStage } from "./outcome.js";
import type { Charge } from "./store.js";

/** What a stage works with. */
export interface QuotaStageOptions {
  readonly ledger: Ledger;
  readonly headers: QuotaHeaders;
  readonly observer: QuotaObserver;
}

/**
 * Makes one stage of these quotas, of which there is at least one. All that apply to a request are charged in one
 * step, all or none. When several refuse, the one with the longest wait answers, of equal ones the first in the order
 * of the quotas; one whose store failed answers before those.
 */
export function createQuotaStage(
  compiled: readonly CompiledQuota[],
  { ledger, headers, observer }: QuotaStageOptions,
): QuotaStage {
  const conclusion = {
    write: prepareHeaders(compiled, headers),
    refusals: compiled.map(prepareRefusal),
    observer,
  };
  const chargeRefused = (request: QuotaRequest): void => {
    const charged = chargesOf(compiled, request, observer, true);
    // The ledger never rejects.
    if (charged !== undefined) void ledger.charge(charged.quotas, charged.charges);
  };
  return {
    charge: (request) => {
      const charged = chargesOf(compiled, request, observer, false);
      if (charged === undefined) return nothingCharged;
      return after(ledger.charge(charged.quotas, charged.charges), (result) =>
        conclude(charged, result, conclusion),
      );
    },
    chargeRefused: compiled.some(({ quota }) => quota.chargesRefused) ? chargeRefused : undefined,
  };
}

/**
 * Of a request that was refused before only what wants it, and each by itself, as on trial: there is no answer that
 * one of them could change, so none stands in another's way.
 */
function chargesOf(
  compiled: readonly CompiledQuota[],
  request: QuotaRequest,
  observer: QuotaObserver,
  wasRefused: boolean,
): Charged | undefined {
  const places: number[] = [];
  const quotas: CompiledQuota[] = [];
  const keyed: KeyedAllowance[] = [];
  const charges: Charge[] = [];
  for (let place = 0; place < compiled.length; place++) {
    const one = compiled[place];
    if (one === undefined || (wasRefused && !one.quota.chargesRefused)) continue;
    const made = chargeOfRequest(one, request, observer, wasRefused || one.quota.dryRun);
    if (made === undefined) continue;
    places.push(place);
    quotas.push(one);
    keyed.push(made.keyed);
    charges.push(made.charge);
  }
  return charges.length === 0 ? undefined : { places, quotas, keyed, charges };
}
