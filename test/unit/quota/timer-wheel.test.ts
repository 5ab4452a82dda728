import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTimerWheel, type Timed } from "../../../src/quota/timer-wheel.js";

interface Item extends Timed<Item> {
  readonly name: number;
}

const yearMs = 365 * 86_400_000;
/** How late a wheel may find what is due. */
const grainMs = 250;

function anItem(dueAt: number, name = 0): Item {
  return { name, dueAt, slot: undefined, before: undefined, after: undefined };
}

function collectAll(wheel: ReturnType<typeof createTimerWheel<Item>>): Item[] {
  const due: Item[] = [];
  while (wheel.collect(1_000, (item) => due.push(item)));
  return due;
}

describe("a timer wheel", () => {
  it.each([1, 250, 16_000, 16_001, 3_600_000, 86_400_000, yearMs, 100 * yearMs, 600 * yearMs])(
    "finds what is due after %d ms, not before and at most a grain later",
    (dueAt) => {
      const wheel = createTimerWheel<Item>();
      wheel.add(anItem(dueAt));
      wheel.advance(dueAt - 1);
      expect(collectAll(wheel)).toHaveLength(0);
      wheel.advance(dueAt + grainMs);
      expect(collectAll(wheel)).toHaveLength(1);
      wheel.advance(2 * dueAt + 1_000);
      expect(collectAll(wheel)).toHaveLength(0);
    },
  );

  it("looks at no more than it is told to, and says that there is more", () => {
    const wheel = createTimerWheel<Item>();
    for (let i = 0; i < 10; i++) wheel.add(anItem(100 + 300 * i, i));
    wheel.advance(10_000);
    const due: Item[] = [];
    expect(wheel.collect(4, (item) => due.push(item))).toBe(true);
    expect(due).toHaveLength(4);
    expect(wheel.collect(5, (item) => due.push(item))).toBe(true);
    expect(wheel.collect(1, (item) => due.push(item))).toBe(false);
    expect(due).toHaveLength(10);
  });

  it("files again what was moved to later meanwhile", () => {
    const wheel = createTimerWheel<Item>();
    const item = anItem(1_000);
    wheel.add(item);
    item.dueAt = 5_000;
    wheel.advance(4_000);
    expect(collectAll(wheel)).toHaveLength(0);
    wheel.advance(5_000 + grainMs);
    expect(collectAll(wheel)).toEqual([item]);
  });

  it("does not find what was removed, before or after its time has come", () => {
    const wheel = createTimerWheel<Item>();
    const [early, late, kept] = [anItem(100, 1), anItem(100, 2), anItem(100, 3)];
    for (const item of [early, late, kept]) wheel.add(item);
    wheel.remove(early);
    wheel.advance(1_000);
    wheel.remove(late);
    wheel.remove(late);
    expect(collectAll(wheel)).toEqual([kept]);
  });

  it("takes back an item while it is collecting", () => {
    const wheel = createTimerWheel<Item>();
    wheel.add(anItem(100));
    wheel.advance(1_000);
    let times = 0;
    wheel.collect(10, (item) => {
      times++;
      item.dueAt = 2_000;
      wheel.add(item);
    });
    expect(times).toBe(1);
    wheel.advance(2_500);
    expect(collectAll(wheel)).toHaveLength(1);
  });

  it("does not go back", () => {
    const wheel = createTimerWheel<Item>();
    wheel.advance(10_000);
    wheel.advance(0);
    wheel.add(anItem(5_000));
    wheel.advance(10_500);
    expect(collectAll(wheel)).toHaveLength(1);
  });

  it("finds each item once, when it is due, as a plain list would", () => {
    const span = fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 0, max: 10 * yearMs }));
    const action = fc.oneof(
      fc.record({ kind: fc.constant("add" as const), ms: span }),
      fc.record({ kind: fc.constant("advance" as const), ms: span }),
      fc.record({ kind: fc.constant("prolong" as const), ms: span, at: fc.nat() }),
      fc.record({ kind: fc.constant("remove" as const), ms: fc.constant(0), at: fc.nat() }),
    );
    const property = fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const wheel = createTimerWheel<Item>();
      let items: Item[] = [];
      let now = 0;
      for (const one of actions) {
        if (one.kind === "add") {
          const item = anItem(now + one.ms, items.length);
          items.push(item);
          wheel.add(item);
        } else if (one.kind === "advance") {
          now += one.ms;
          wheel.advance(now);
        } else {
          const item = items[one.at % Math.max(1, items.length)];
          if (item === undefined) continue;
          if (one.kind === "prolong") item.dueAt += one.ms;
          else wheel.remove(item);
          if (one.kind === "remove") items = items.filter((other) => other !== item);
        }
        const found = new Set(collectAll(wheel));
        for (const item of found) expect(item.dueAt).toBeLessThanOrEqual(now);
        items = items.filter((item) => !found.has(item));
        for (const item of items) expect(item.dueAt).toBeGreaterThan(now - grainMs);
      }
      wheel.advance(now + 1_000 * yearMs);
      expect(new Set(collectAll(wheel))).toEqual(new Set(items));
    });
    fc.assert(property, { numRuns: 300 });
  });
});
