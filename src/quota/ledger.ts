import { after } from "./after.js";
import type { CompiledQuota } from "./compile-quota.js";
import { localCharge } from "./local-share.js";
import type { QuotaObserver } from "./outcome.js";
import type { Answer, Charge, CounterState, CounterStore } from "./store.js";
import { StoreError } from "./store-error.js";

/** What was done about a charge that the store could not be asked for. */
export type StoreFate = "allowed" | "denied" | "local";

/** That the store could not be asked, and what came of it. */
export interface StoreFailure {
  readonly error: unknown;
  /** One for each charge, in order; `local` without a counter was not asked, since another one denied. */
  readonly fates: readonly StoreFate[];
}

/** What came of the charges of one request. */
export interface LedgerResult {
  /** No quota refuses; those on trial do not count. */
  readonly allowed: boolean;
  /** One for each charge, in order; undefined where nobody counted. */
  readonly counters: readonly (CounterState | undefined)[];
  /** Undefined: the store answered. */
  readonly failure: StoreFailure | undefined;
}

/** Charges quotas, and knows what each wants while its counters cannot be reached. Neither throws nor rejects. */
export interface Ledger {
  /** All or none, in one step of the store. `quotas[i]` is whose `charges[i]` is; no key stands in it twice. */
  charge(quotas: readonly CompiledQuota[], charges: readonly Charge[]): Answer<LedgerResult>;
  /**
   * Gives back what may have been taken up to now, or up to `agoMs` ago, by the store's clock, and says how the counters
   * stand then: what a window counted that is over stays counted; of `concurrency` the newest units are free again.
   */
  refund(quotas: readonly CompiledQuota[], charges: readonly Charge[], agoMs?: number): Answer<LedgerResult>;
  /**
   * Counts what was used already, beyond what may pass too; a counter of which `allowed` is false was overdrawn. While
   * the store fails only quotas with `local` count it.
   */
  debit(quotas: readonly CompiledQuota[], charges: readonly Charge[]): Answer<LedgerResult>;
}

/** What a ledger works with. */
export interface LedgerPorts {
  readonly store: CounterStore;
  /** Counts for quotas with `onStoreFailure: local` while `store` fails; in this process. */
  readonly local: CounterStore;
  readonly observer: QuotaObserver;
  /** How many processes count locally, each its part; 1 when not said. */
  readonly processes?: number;
}

/** What a store is asked; throws or rejects as it does. */
type Step = (store: CounterStore, charges: readonly Charge[]) => Answer<Counted>;

interface Counted {
  readonly allowed: boolean;
  readonly counters: readonly CounterState[];
}

/**
 * The one way of quotas to their counters. When the store fails, by whatever it throws, each quota does what its
 * `onStoreFailure` says: one that denies refuses the request, and nothing is counted locally then; else those with
 * `local` are counted in this process, all or none. A quota on trial never refuses.
 */
export function createLedger({ store, local, observer, processes = 1 }: LedgerPorts): Ledger {
  const run = (
    step: Step,
    quotas: readonly CompiledQuota[],
    charges: readonly Charge[],
  ): Answer<LedgerResult> => {
    const failed = (error: unknown): Answer<LedgerResult> => fall(step, quotas, charges, error);
    const counted = (answer: Counted): Answer<LedgerResult> =>
      answer.counters.length === charges.length ? asCounted(answer) : failed(incomplete());
    try {
      const answer = step(store, charges);
      return answer instanceof Promise ? answer.then(counted, failed) : counted(answer);
    } catch (error) {
      return failed(error);
    }
  };

  const fall = (
    step: Step,
    quotas: readonly CompiledQuota[],
    charges: readonly Charge[],
    error: unknown,
  ): Answer<LedgerResult> => {
    const wanted = quotas.map(({ quota }) => wantedFates[quota.onStoreFailure]);
    const refuses = wanted.some((fate, i) => fate === "denied" && charges[i]?.isTrial === false);
    const ask = wanted.flatMap((fate, i) => (fate === "local" ? [i] : []));
    if (refuses || ask.length === 0) {
      return settle(quotas, wanted, error, { allowed: !refuses, counters: [] }, []);
    }
    const shares = ask.flatMap((i) => {
      const [charge, quota] = [charges[i], quotas[i]];
      if (charge === undefined || quota === undefined) return [];
      return [localCharge(charge, quota.quota.localShare / processes)];
    });
    const counted = (answer: Counted): LedgerResult => settle(quotas, wanted, error, answer, ask);
    const lost = (): LedgerResult => {
      const fates = wanted.map((fate) => (fate === "local" ? "denied" : fate));
      const allowed = fates.every((fate, i) => fate !== "denied" || charges[i]?.isTrial === true);
      return settle(quotas, fates, error, { allowed, counters: [] }, []);
    };
    try {
      const answer = step(local, shares);
      return answer instanceof Promise ? answer.then(counted, lost) : counted(answer);
    } catch {
      return lost();
    }
  };

  /** `asked` are the places of the charges that `answer` is about. */
  const settle = (
    quotas: readonly CompiledQuota[],
    fates: readonly StoreFate[],
    error: unknown,
    answer: Counted,
    asked: readonly number[],
  ): LedgerResult => {
    const counters: (CounterState | undefined)[] = quotas.map(() => undefined);
    asked.forEach((place, i) => {
      counters[place] = answer.counters[i];
    });
    quotas.forEach(({ id }, i) => {
      const fate = fates[i] ?? "denied";
      if (fate !== "local" || counters[i] !== undefined) observer.storeFailed(id, fate);
    });
    return { allowed: answer.allowed, counters, failure: { error, fates } };
  };

  return {
    charge: (quotas, charges) => run(chargeStep, quotas, charges),
    refund: (quotas, charges, agoMs = 0) => run(refundStep(agoMs), quotas, charges),
    debit: (quotas, charges) => run(debitStep, quotas, charges),
  };
}

const wantedFates = { allow: "allowed", deny: "denied", local: "local" } as const;

const chargeStep: Step = (store, charges) => store.charge(charges);

const debitStep: Step = (store, charges) => after(store.debit(charges), asLooked);

const refundStep: (agoMs: number) => Step = (agoMs) => (store, charges) => {
  const looks = charges.map((charge) => ({ ...charge, cost: 0 }));
  const look = (): Answer<Counted> => after(store.look(looks), asLooked);
  const isHeld = ({ algorithm }: Charge): boolean => algorithm === "concurrency";
  if (charges.every(isHeld)) return after(store.refund(charges, WHENEVER), look);
  const counted = (): Answer<void> => {
    const others = charges.filter((charge) => !isHeld(charge));
    return after(store.charge(looks), ({ atMs }) => store.refund(others, atMs - agoMs));
  };
  const held = charges.filter(isHeld);
  return after(held.length === 0 ? undefined : store.refund(held, WHENEVER), () => after(counted(), look));
};

/** Nobody knows when it was charged; see `Counting.giveBack`. */
const WHENEVER = -1;

/** A counter that nobody tells of must not look like one that could not be asked and may pass. */
function incomplete(): StoreError {
  return new StoreError("unavailable", "the store did not answer for all counters");
}

function asCounted({ allowed, counters }: Counted): LedgerResult {
  return { allowed, counters, failure: undefined };
}

function asLooked(counters: readonly CounterState[]): Counted {
  return { allowed: true, counters };
}
