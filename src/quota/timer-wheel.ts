/** Something that a wheel holds; the wheel owns all fields but `dueAt`. */
export interface Timed<Item> {
  /** In the wheel's time. May be moved to later at any time, without telling the wheel. */
  dueAt: number;
  slot: Slot<Item> | undefined;
  before: Item | undefined;
  after: Item | undefined;
}

/** A linked list, so that an item leaves it, and the list leaves the wheel, in one step. */
export interface Slot<Item> {
  first: Item | undefined;
}

/** Finds what is due among very many items, in a time that does not grow with how many there are. */
export interface TimerWheel<Item> {
  add(item: Item): void;
  /** Does nothing with one that is not in it. */
  remove(item: Item): void;
  /**
   * Moves the time on, however far, in at most some hundred steps. It never goes back. Nothing is called; `collect`
   * finds what became due.
   */
  advance(now: number): void;
  /**
   * Takes out what is due and gives it to `onDue`, which may add it again. Looks at `budget` items at most; true: there
   * are more to look at.
   */
  collect(budget: number, onDue: (item: Item) => void): boolean;
}

/** How late an item may be found, in milliseconds. */
const tickMs = 250;
const slotsPerLevel = 64;
/** In ticks, one slot of each level: the last level reaches 544 years ahead. */
const slotTicks: readonly number[] = [1, 64, 4_096, 262_144, 16_777_216, 1_073_741_824];

/**
 * A hierarchical timing wheel (Varghese and Lauck, 1987) that starts at time 0. An item stands in the finest level whose 64
 * slots reach its time; when a slot's time has come its items are looked at, and those that are not due yet (as they
 * were filed coarsely, or have been moved to later) are filed again.
 */
export function createTimerWheel<Item extends Timed<Item>>(): TimerWheel<Item> {
  const emptySlot = (): Slot<Item> => ({ first: undefined });
  const levels = slotTicks.map(() => Array.from({ length: slotsPerLevel }, emptySlot));
  let now = 0;
  let tick = 0;
  let passed: Slot<Item>[] = [];

  function slotFor(dueAt: number): Slot<Item> {
    const dueTick = Math.max(tick + 1, Math.ceil(dueAt / tickMs));
    for (let level = 0; level < slotTicks.length; level++) {
      const ticks = slotTicks[level] as number;
      const unit = Math.floor(dueTick / ticks);
      if (unit - Math.floor(tick / ticks) < slotsPerLevel) return slotOf(level, unit);
    }
    // Further ahead than the wheel reaches: looked at, and filed again, at its far end.
    const last = slotTicks.length - 1;
    return slotOf(last, Math.floor(tick / (slotTicks[last] ?? 1)) + slotsPerLevel - 1);
  }

  function slotOf(level: number, unit: number): Slot<Item> {
    const slot = levels[level]?.[unit % slotsPerLevel];
    if (slot === undefined) throw new RangeError("no such slot");
    return slot;
  }

  function add(item: Item): void {
    const slot = slotFor(item.dueAt);
    const { first } = slot;
    item.slot = slot;
    item.before = undefined;
    item.after = first;
    if (first !== undefined) first.before = item;
    slot.first = item;
  }

  function remove(item: Item): void {
    const { slot, before, after } = item;
    if (slot === undefined) return;
    if (before === undefined) slot.first = after;
    else before.after = after;
    if (after !== undefined) after.before = before;
    item.slot = undefined;
    item.before = undefined;
    item.after = undefined;
  }

  return {
    add,
    remove,
    advance(time) {
      if (time <= now) return;
      now = time;
      const target = Math.floor(time / tickMs);
      if (target === tick) return;
      for (const [index, ticks] of slotTicks.entries()) {
        const from = Math.floor(tick / ticks);
        const to = Math.floor(target / ticks);
        if (from === to) break;
        for (let unit = Math.max(from + 1, to - slotsPerLevel + 1); unit <= to; unit++) {
          const slot = slotOf(index, unit);
          if (slot.first === undefined) continue;
          passed.push(slot);
          (levels[index] as Slot<Item>[])[unit % slotsPerLevel] = emptySlot();
        }
      }
      tick = target;
    },
    collect(budget, onDue) {
      let left = budget;
      let index = 0;
      for (; index < passed.length; index++) {
        const slot = passed[index];
        let item = slot?.first;
        for (; item !== undefined && left > 0; left--) {
          remove(item);
          if (item.dueAt <= now) onDue(item);
          else add(item);
          item = slot?.first;
        }
        if (item !== undefined) break;
      }
      if (index > 0) passed = passed.slice(index);
      return passed.length > 0;
    },
  };
}
