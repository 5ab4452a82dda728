import { after } from "./after.js";
import { addCharges, chargeOfValues } from "./charges.js";
import type { CompiledQuota } from "./compile-quota.js";
import type { Ledger, LedgerResult } from "./ledger.js";
import type { QuotaObserver } from "./outcome.js";
import { keyPart } from "./quota-key.js";
import type { Allowance, Answer, Charge, CounterState } from "./store.js";

/** A descriptor of a call of Envoy's rate limit service, for a domain that quotas are mapped to. */
export interface MappedDescriptor {
  readonly entries: readonly { readonly key: string; readonly value: string }[];
  /** Units, a whole number; 0 looks without counting, more than 2^32 - 1 never pass. */
  readonly hits: number;
  /** Gives the hits back. */
  readonly isNegative: boolean;
}

/** What a descriptor has of the quotas that it is mapped to: of the tightest. */
export interface MappedState {
  /** `NAMESPACE/NAME`. */
  readonly quota: string;
  readonly limit: number;
  readonly windowMs: number;
  /** No quota of this descriptor refuses, whatever others say. */
  readonly allowed: boolean;
  readonly remaining: number;
  readonly resetMs: number;
}

/** Quotas that are reached through Envoy's rate limit service, by the domain that they are mapped to. */
export interface QuotaDomains {
  has(domain: string): boolean;
  /**
   * Charges the quotas whose keys the descriptors have: over the whole call all or none. One state for each descriptor
   * in order, undefined where no quota counts it. Where counters cannot be reached and a quota's `onStoreFailure`
   * denies, throws or rejects with what the store threw, a StoreError.
   */
  charge(
    domain: string,
    descriptors: readonly MappedDescriptor[],
  ): Answer<readonly (MappedState | undefined)[]>;
}

/** What domains work with. */
export interface QuotaDomainsOptions {
  readonly ledger: Ledger;
  readonly observer: QuotaObserver;
}

interface Mapped {
  readonly compiled: CompiledQuota;
  /** For each dimension in order, which entry's value it is. */
  readonly entries: readonly number[];
}

/** By the keys of a descriptor. */
type Domain = ReadonlyMap<string, readonly Mapped[]>;

/** Charges of one call that are made in one step, no key twice, and whose they are. */
interface Batch {
  readonly quotas: CompiledQuota[];
  readonly charges: Charge[];
  readonly allowances: Allowance[];
  readonly places: Map<string, number>;
  /** Descriptors that each charge is of. */
  readonly owners: number[][];
}

/** Makes the domains of the quotas that are mapped to one. */
export function createQuotaDomains(
  compiled: readonly CompiledQuota[],
  { ledger, observer }: QuotaDomainsOptions,
): QuotaDomains {
  const domains = domainsOf(compiled);
  return {
    has: (domain) => domains.has(domain),
    charge: (domain, descriptors) => {
      const known = domains.get(domain);
      const states: (MappedState | undefined)[] = descriptors.map(() => undefined);
      if (known === undefined) return states;
      const [taken, given] = [newBatch(), newBatch()];
      descriptors.forEach((descriptor, i) => {
        for (const mapped of known.get(signature(descriptor.entries.map(({ key }) => key))) ?? []) {
          put(descriptor.isNegative ? given : taken, mapped, descriptor, i);
        }
      });
      // What is given back is so only when the rest passes, so that a refused call changes nothing.
      const giveBack = (): Answer<typeof states> =>
        given.charges.length === 0
          ? states
          : after(ledger.refund(given.quotas, given.charges), (result) => {
              show(given, result, states);
              return states;
            });
      if (taken.charges.length === 0) return giveBack();
      return after(ledger.charge(taken.quotas, taken.charges), (result) => {
        tell(taken, result, observer);
        show(taken, result, states);
        return result.allowed ? giveBack() : states;
      });
    },
  };
}

function domainsOf(compiled: readonly CompiledQuota[]): ReadonlyMap<string, Domain> {
  const domains = new Map<string, Map<string, Mapped[]>>();
  for (const one of compiled) {
    const { rateLimit, dimensions } = one.quota;
    if (rateLimit === undefined) continue;
    const domain = domains.get(rateLimit.domain) ?? new Map<string, Mapped[]>();
    domains.set(rateLimit.domain, domain);
    const keys = signature(rateLimit.descriptor.map(([key]) => key));
    const entries = dimensions.map(({ name }) =>
      rateLimit.descriptor.findIndex(([, dimension]) => dimension === name),
    );
    const mapped = domain.get(keys) ?? [];
    domain.set(keys, mapped);
    mapped.push({ compiled: one, entries });
  }
  return domains;
}

/** One text for a list of keys, and no other list has it. */
function signature(keys: readonly string[]): string {
  return keys.map(keyPart).join("");
}

function newBatch(): Batch {
  return { quotas: [], charges: [], allowances: [], places: new Map(), owners: [] };
}

/** Adds what a descriptor is charged; a counter that stands in the batch already is charged for both together. */
function put(
  { quotas, charges, allowances, places, owners }: Batch,
  { compiled, entries }: Mapped,
  descriptor: MappedDescriptor,
  owner: number,
): void {
  const values = entries.map((entry) => descriptor.entries[entry]?.value ?? "");
  const made = chargeOfValues(compiled, values, descriptor.hits);
  if (made === undefined) return;
  const { charge, keyed } = made;
  const place = places.get(charge.key);
  const before = place === undefined ? undefined : charges[place];
  if (place === undefined || before === undefined) {
    places.set(charge.key, charges.length);
    quotas.push(compiled);
    charges.push(charge);
    allowances.push(keyed.allowance);
    owners.push([owner]);
    return;
  }
  charges[place] = addCharges(before, charge);
  owners[place]?.push(owner);
}

/** Tells of charges; what is given back is none. */
function tell(
  { quotas }: Batch,
  { allowed, counters, failure }: LedgerResult,
  observer: QuotaObserver,
): void {
  quotas.forEach(({ id, quota }, i) => {
    const counter = counters[i];
    const refuses = counter === undefined ? failure?.fates[i] === "denied" : !counter.allowed;
    if (quota.dryRun) observer.charged(id, refuses ? "trial_refused" : "trial_allowed");
    else if (refuses) observer.charged(id, "refused");
    else if (allowed) observer.charged(id, "allowed");
  });
}

/** Writes down how the counters of a batch stand; throws what the store threw where a quota denies for it. */
function show(
  { quotas, allowances, owners }: Batch,
  { allowed, counters, failure }: LedgerResult,
  states: (MappedState | undefined)[],
): void {
  if (!allowed && failure !== undefined && counters.every((counter) => counter === undefined)) {
    throw failure.error;
  }
  counters.forEach((counter, i) => {
    const [compiled, allowance] = [quotas[i], allowances[i]];
    if (counter === undefined || compiled === undefined || allowance === undefined) return;
    if (compiled.quota.dryRun) return;
    for (const owner of owners[i] ?? [])
      states[owner] = tighter(states[owner], compiled.id, allowance, counter);
  });
}

/** Of two states of one descriptor the one that refuses, else the one with less left. */
function tighter(
  known: MappedState | undefined,
  quota: string,
  { limit, windowMs }: Allowance,
  { allowed, remaining, resetMs }: CounterState,
): MappedState {
  const state = { quota, limit, windowMs, allowed, remaining, resetMs };
  if (known === undefined) return state;
  if (known.allowed !== allowed) return known.allowed ? state : known;
  return remaining < known.remaining ? state : known;
}
