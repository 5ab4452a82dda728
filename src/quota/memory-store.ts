import { countings, type Step } from "./counting.js";
import { createShelves, type Kept } from "./memory-shelf.js";
import type {
  Addition,
  AdditionRequest,
  Charge,
  ChargeResult,
  CounterKey,
  CounterState,
  CounterStore,
} from "./store.js";
import { StoreError } from "./store-error.js";

/** What a memory store takes from its surroundings. */
export interface MemoryStoreOptions {
  /** Milliseconds since the epoch; may jump. */
  readonly now: () => number;
  /** Counters and ids of charges together, from 1 to 16 million; a million when left out, some 300 MB. */
  readonly maxCounters?: number;
}

/** Counters of this process, exact, answered at once. */
export interface MemoryStore extends CounterStore {
  charge(charges: readonly Charge[]): ChargeResult;
  refund(charges: readonly Charge[], atMs: number): void;
  debit(charges: readonly Charge[]): readonly CounterState[];
  add(request: AdditionRequest): readonly number[];
  look(charges: readonly Charge[]): readonly CounterState[];
  read(keys: readonly CounterKey[]): readonly (number | undefined)[];
  reset(keys: readonly CounterKey[]): number;
  /** Counters and ids, some of which may be over and not forgotten yet. */
  readonly size: number;
  /**
   * Forgets what is over, at most 2,000 at once, in a millisecond or two; true: there is more. Each charge forgets a little
   * too, so this is for quiet times: about once in a second.
   */
  sweep(): boolean;
}

/** A Map holds no more than 2^24. */
const mostCounters = 16_000_000;
const biggest = 2n ** 63n - 1n;

/**
 * A store in this process' memory. Where there is no room for a new counter, StoreError `full` is thrown and nothing is
 * counted (of an addition: nothing more): a counter in force never gives way.
 */
export function createMemoryStore({ now, maxCounters = 1_000_000 }: MemoryStoreOptions): MemoryStore {
  if (!Number.isInteger(maxCounters) || maxCounters < 1 || maxCounters > mostCounters) {
    throw new RangeError(`\`${maxCounters}\` counters, expected 1 to ${mostCounters}`);
  }
  const shelves = createShelves(maxCounters);
  const charged = shelves.open<unknown>();
  const added = shelves.open<number | bigint>();

  /** Sets the time; from here on nothing vanishes until the step is done. */
  function begin(wanted: number): number {
    const time = Math.floor(now());
    shelves.tick(time, wanted);
    return time;
  }

  function commit(
    charge: Charge,
    counter: Kept<unknown> | undefined,
    step: Step<unknown>,
    time: number,
  ): void {
    const { group, key, cost, windowMs, id } = charge;
    if (counter === undefined && cost === 0 && id === undefined) return;
    const { state, resetMs } = step;
    const expiresAt = time + resetMs;
    if (counter !== undefined) {
      counter.state = state;
      shelves.prolong(counter, expiresAt);
    }
    const kept = counter ?? charged.put({ group, key, state, expiresAt, spanMs: windowMs });
    if (id !== undefined) shelves.remember(kept, id);
  }

  function drawUp(one: Charge, time: number): Draft {
    const counter = charged.find(one.group, one.key);
    const counting = countings[one.algorithm];
    const isRepeated = counter !== undefined && one.id !== undefined && shelves.remembers(counter, one.id);
    if (!isRepeated)
      return { charge: one, counter, step: counting.take(inForce(counter, time), one, time), isRepeated };
    const step = counting.take(inForce(counter, time), { ...one, cost: 0 }, time);
    return { charge: one, counter, step: { ...step, allowed: true, retryMs: 0 }, isRepeated };
  }

  function charge(charges: readonly Charge[]): ChargeResult {
    const time = begin(2 * charges.length);
    const drafts: Draft[] = [];
    let allowed = true;
    let wanted = 0;
    for (const one of charges) {
      const draft = drawUp(one, time);
      drafts.push(draft);
      if (one.isTrial) continue;
      if (!draft.step.allowed) allowed = false;
      wanted += roomFor(draft);
    }
    if (allowed && wanted > shelves.room()) throw noRoom();
    const counters: CounterState[] = [];
    for (const draft of drafts) {
      const { charge: one, counter, step, isRepeated } = draft;
      const counts = allowed && step.allowed && !isRepeated;
      // A trial for which no room is left is not counted.
      if (counts && (!one.isTrial || roomFor(draft) <= shelves.room() - wanted)) {
        commit(one, counter, step, time);
        if (!one.isTrial) wanted -= roomFor(draft);
        counters.push(report(step, step));
      } else {
        counters.push(report(step, step.allowed ? standing(draft, time) : step));
      }
    }
    return { allowed, counters, atMs: time };
  }

  function refund(charges: readonly Charge[], atMs: number): void {
    begin(0);
    for (const one of charges) {
      const counter = charged.find(one.group, one.key);
      if (counter === undefined) continue;
      if (one.id !== undefined) {
        if (!shelves.remembers(counter, one.id)) continue;
        shelves.forgetId(counter, one.id);
      }
      counter.state = countings[one.algorithm].giveBack(counter.state, one, atMs);
    }
  }

  function debit(charges: readonly Charge[]): readonly CounterState[] {
    const time = begin(charges.length);
    const drafts = charges.map((one): Draft => {
      const charge = one.id === undefined ? one : { ...one, id: undefined };
      const counter = charged.find(one.group, one.key);
      const step = countings[one.algorithm].take(inForce(counter, time), { ...charge, isOwed: true }, time);
      return { charge, counter, step, isRepeated: false };
    });
    const counted = drafts.filter(({ step }) => step.allowed);
    if (counted.reduce((sum, draft) => sum + roomFor(draft), 0) > shelves.room()) throw noRoom();
    const states = drafts.map(({ charge, counter, step }) =>
      report(countings[charge.algorithm].take(inForce(counter, time), charge, time), step),
    );
    for (const { charge, counter, step } of counted) commit(charge, counter, step, time);
    return states;
  }

  function hitsOf(counter: Kept<number | bigint> | undefined, time: number): number | bigint {
    return counter === undefined || counter.expiresAt <= time ? 0 : counter.state;
  }

  function addOne({ key, hits, ttlSeconds }: Addition, group: string, time: number): number | bigint {
    const counter = added.find(group, key);
    const before = hitsOf(counter, time);
    const state = sum(before, hits);
    const expiresAt = time + ttlSeconds * 1_000;
    if (counter !== undefined) {
      counter.state = state;
      shelves.prolong(counter, expiresAt);
    } else if (state > 0) {
      if (shelves.room() < 1) throw noRoom();
      added.put({ group, key, state, expiresAt, spanMs: ttlSeconds * 1_000 });
    }
    return state;
  }

  /** Which of them would lead over their limits; none where that does not matter. */
  function findOver({ group, additions, stopsWhenOver }: AdditionRequest, time: number): readonly boolean[] {
    if (!stopsWhenOver) return [];
    const over = additions.map(
      ({ key, hits, limit }) => Number(hitsOf(added.find(group, key), time)) + Number(hits) > limit,
    );
    return over.includes(true) ? over : [];
  }

  function add(request: AdditionRequest): readonly number[] {
    const { group, additions } = request;
    const time = begin(additions.length);
    const over = findOver(request, time);
    const values: number[] = [];
    let failure: StoreError | undefined;
    for (let index = 0; index < additions.length; index++) {
      const one = additions[index] as Addition;
      if (over[index] === false) {
        values.push(Number(hitsOf(added.find(group, one.key), time)));
        continue;
      }
      try {
        values.push(Number(addOne(one, group, time)));
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return values;
  }

  return {
    charge,
    refund,
    debit,
    add,
    look(charges) {
      const time = begin(0);
      return charges.map((one) => {
        const draft = drawUp(one, time);
        return report(draft.step, standing(draft, time));
      });
    },
    read(keys) {
      const time = begin(0);
      return keys.map(({ group, key }) => {
        const counter = added.find(group, key);
        return counter === undefined || counter.expiresAt <= time ? undefined : Number(counter.state);
      });
    },
    reset(keys) {
      const time = begin(0);
      let count = 0;
      for (const { group, key } of keys) {
        for (const counter of [charged.find(group, key), added.find(group, key)]) {
          if (counter === undefined) continue;
          if (counter.expiresAt > time) count++;
          shelves.drop(counter);
        }
      }
      return count;
    },
    get size() {
      return shelves.size();
    },
    sweep: () => shelves.sweep(Math.floor(now())),
    close: async () => shelves.clear(),
  };
}

/** A charge before it is known whether all pass. */
interface Draft {
  readonly charge: Charge;
  readonly counter: Kept<unknown> | undefined;
  readonly step: Step<unknown>;
  /** Charged before under its id. */
  readonly isRepeated: boolean;
}

/** The counter without this charge. */
function standing({ charge, counter }: Draft, time: number): Step<unknown> {
  return countings[charge.algorithm].take(inForce(counter, time), { ...charge, cost: 0 }, time);
}

/** One whose time is over is as one that is not there, whether it has been swept away or not. */
function inForce(counter: Kept<unknown> | undefined, time: number): unknown {
  return counter === undefined || counter.expiresAt <= time ? undefined : counter.state;
}

function report({ allowed, retryMs }: CounterState, { remaining, resetMs }: CounterState): CounterState {
  return { allowed, remaining, resetMs, retryMs };
}

/** Counters and ids that it would make. */
function roomFor({ charge: { cost, id }, counter, isRepeated }: Draft): number {
  if (isRepeated) return 0;
  if (id !== undefined) return counter === undefined ? 2 : 1;
  return counter === undefined && cost > 0 ? 1 : 0;
}

function noRoom(): StoreError {
  return new StoreError("full", "there is no room for a further counter");
}

function sum(value: number | bigint, hits: number | bigint): number | bigint {
  if (typeof value === "number" && typeof hits === "number") {
    const total = value + hits;
    if (total <= Number.MAX_SAFE_INTEGER) return Math.max(0, total);
  }
  const total = BigInt(value) + BigInt(hits);
  if (total > biggest) throw new StoreError("overflow", "a counter would pass 2^63 - 1");
  if (total > BigInt(Number.MAX_SAFE_INTEGER)) return total;
  return Math.max(0, Number(total));
}
