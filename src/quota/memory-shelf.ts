import { createTimerWheel, type Timed } from "./timer-wheel.js";

/** A counter in memory. */
export interface Kept<State> extends Timed<Kept<unknown>> {
  readonly group: string;
  readonly key: string;
  readonly home: Map<string, Map<string, Kept<unknown>>>;
  state: State;
  /** Milliseconds since the epoch. */
  expiresAt: number;
  /** Milliseconds: how long it may be in force by itself. */
  spanMs: number;
  /** By the id of a charge: until when it is remembered, oldest first. */
  ids: Map<string, number> | undefined;
}

/** What a new counter begins with. */
export type Fresh<State> = Pick<Kept<State>, "group" | "key" | "state" | "expiresAt" | "spanMs">;

/** Counters of one kind, by group and key. */
export interface Shelf<State> {
  find(group: string, key: string): Kept<State> | undefined;
  /** There must be room, and none of the name. */
  put(fresh: Fresh<State>): Kept<State>;
}

/** All counters of a store: how many there may be, and when they go. */
export interface Shelves {
  open<State>(): Shelf<State>;
  /**
   * Sets the time and forgets some of the counters that are over: a few, or as many as it takes to make room for `wanted`.
   * Only here and in `sweep` counters vanish.
   */
  tick(now: number, wanted: number): void;
  /** Forgets many; true: there are more. */
  sweep(now: number): boolean;
  /** Its state is in force until then. */
  prolong(counter: Kept<unknown>, expiresAt: number): void;
  /** Counters and ids for which there is room. */
  room(): number;
  /** For a span, at most a day, from now on. */
  remember(counter: Kept<unknown>, id: string): void;
  remembers(counter: Kept<unknown>, id: string): boolean;
  forgetId(counter: Kept<unknown>, id: string): void;
  drop(counter: Kept<unknown>): void;
  size(): number;
  clear(): void;
}

/** So that what is forgotten keeps pace with what is made. */
const perTick = 4;
const perSweep = 2_000;
const dayMs = 86_400_000;
/** A counter whose end is more of its spans away than this is from before its clock went back. */
const patience = 3;

/**
 * Room for `maxCounters` counters and ids together. Nothing in force is ever pushed out to make room: that would grant its
 * limit anew.
 *
 * What is over goes by the time that has passed, not by what the clock says: after a clock has gone back, however
 * far, nothing stays longer than three of its spans.
 */
export function createShelves(maxCounters: number): Shelves {
  let wheel = createTimerWheel<Kept<unknown>>();
  let now = 0;
  /** Milliseconds of a clock that stands still while the other goes back. */
  let passedMs = 0;
  let size = 0;
  const homes: Map<string, Map<string, Kept<unknown>>>[] = [];

  function setTime(time: number): void {
    // The first step is from the epoch to now; the wheel takes it like any other.
    if (time > now) passedMs += time - now;
    now = time;
    wheel.advance(passedMs);
  }

  function open<State>(): Shelf<State> {
    const groups = new Map<string, Map<string, Kept<State>>>();
    homes.push(groups);
    return {
      find: (group, key) => groups.get(group)?.get(key),
      put({ group, key, state, expiresAt, spanMs }) {
        const counter: Kept<State> = {
          group,
          key,
          home: groups,
          state,
          expiresAt,
          spanMs,
          ids: undefined,
          dueAt: passedMs + Math.max(0, expiresAt - now),
          slot: undefined,
          before: undefined,
          after: undefined,
        };
        let keys = groups.get(group);
        if (keys === undefined) {
          keys = new Map();
          groups.set(group, keys);
        }
        keys.set(key, counter);
        size++;
        wheel.add(counter);
        return counter;
      },
    };
  }

  function drop(counter: Kept<unknown>): void {
    const { group, key, home, ids } = counter;
    const keys = home.get(group);
    if (keys?.get(key) !== counter) return;
    wheel.remove(counter);
    keys.delete(key);
    if (keys.size === 0) home.delete(group);
    size -= 1 + (ids?.size ?? 0);
  }

  function prolong(counter: Kept<unknown>, expiresAt: number): void {
    const { ids, spanMs, expiresAt: before } = counter;
    // What it remembers may outlast what it counts.
    const idsEnd = ids === undefined ? 0 : Math.min(before, now + 2 * Math.min(spanMs, dayMs));
    counter.expiresAt = Math.max(expiresAt, idsEnd);
    counter.dueAt = passedMs + Math.max(0, counter.expiresAt - now);
  }

  function expire(counter: Kept<unknown>): void {
    const leftMs = counter.expiresAt - now;
    if (leftMs <= 0 || leftMs > patience * counter.spanMs) {
      drop(counter);
      return;
    }
    // The clock has gone back a little: the counter is still in force.
    counter.dueAt = passedMs + leftMs;
    wheel.add(counter);
  }

  function isAhead(end: number, { spanMs }: Kept<unknown>): boolean {
    return end > now && end - now <= 2 * Math.min(spanMs, dayMs);
  }

  function forgetId(counter: Kept<unknown>, id: string): void {
    if (counter.ids?.delete(id) === true) size--;
  }

  return {
    open,
    drop,
    forgetId,
    tick(time, wanted) {
      setTime(time);
      wheel.collect(size + wanted > maxCounters ? perSweep : perTick, expire);
    },
    sweep(time) {
      setTime(time);
      return wheel.collect(perSweep, expire);
    },
    prolong,
    room: () => maxCounters - size,
    remember(counter, id) {
      counter.ids ??= new Map();
      let looked = 0;
      for (const [old, end] of counter.ids) {
        if (isAhead(end, counter) || ++looked > perTick) break;
        forgetId(counter, old);
      }
      // Last, as the Map's order is that of time.
      forgetId(counter, id);
      const end = now + Math.min(counter.spanMs, dayMs);
      counter.ids.set(id, end);
      size++;
      if (end > counter.expiresAt) prolong(counter, end);
    },
    remembers: (counter, id) => isAhead(counter.ids?.get(id) ?? 0, counter),
    size: () => size,
    clear() {
      for (const home of homes) home.clear();
      wheel = createTimerWheel();
      wheel.advance(passedMs);
      size = 0;
    },
  };
}
