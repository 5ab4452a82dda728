import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Charge, createMemoryStore, type MemoryStore } from "../../../src/quota/index.js";
import { algorithms } from "../../support/counter-store-subject.js";

const start = Date.UTC(2026, 10, 21, 12, 34, 56, 789);

/** A few counters, so that charges meet: the key says how each counts. */
const charge: fc.Arbitrary<Charge> = fc
  .record({
    algorithm: fc.constantFrom(...algorithms),
    limit: fc.integer({ min: 0, max: 8 }),
    windowMs: fc.constantFrom(100, 1_000, 60_000),
    group: fc.constantFrom("a", "b"),
    cost: fc.integer({ min: 0, max: 5 }),
    isTrial: fc.boolean(),
    id: fc.option(fc.constantFrom("1", "2", "3"), { nil: undefined }),
  })
  .map((one) => ({ ...one, burst: one.limit, key: `${one.algorithm} ${one.windowMs}` }));

const batch = fc.uniqueArray(charge, { maxLength: 4, selector: ({ group, key }) => `${group} ${key}` });
const steps = fc.array(
  fc.record({ gap: fc.nat(400), charges: batch, gives: fc.integer({ min: 0, max: 3 }).map((n) => n === 0) }),
  { maxLength: 60 },
);

interface Clock {
  now: number;
}

function atStart(): { clock: Clock; store: MemoryStore } {
  const clock = { now: start };
  return { clock, store: createMemoryStore({ now: () => clock.now }) };
}

describe("a memory store, whatever is charged", () => {
  it("counts all or none, and answers as a look tells before", () => {
    const property = fc.property(steps, (list) => {
      const { clock, store } = atStart();
      for (const { gap, charges } of list) {
        clock.now += gap;
        const before = store.look(charges);
        const { allowed, counters } = store.charge(charges);
        const after = store.look(charges);
        expect(counters.map((one) => one.allowed)).toEqual(before.map((one) => one.allowed));
        expect(allowed).toBe(
          charges.every(({ isTrial }, index) => isTrial || before[index]?.allowed === true),
        );
        expect(counters.map(({ remaining }) => remaining)).toEqual(after.map(({ remaining }) => remaining));
        if (!allowed) expect(after).toEqual(before);
        for (const [index, { cost, id }] of charges.entries()) {
          const counted = (before[index]?.remaining ?? 0) - (after[index]?.remaining ?? 0);
          if (!allowed || before[index]?.allowed !== true) expect(counted).toBe(0);
          else if (id === undefined) expect(counted).toBe(cost);
          else expect([0, cost]).toContain(counted);
        }
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("is as before when all that was counted is given back", () => {
    const property = fc.property(steps, (list) => {
      const { clock, store } = atStart();
      for (const { gap, charges, gives } of list) {
        clock.now += gap;
        // A repeated charge gives back the first one of its id, so they are left out here.
        const fresh = charges.map((one) => ({ ...one, id: undefined, isTrial: false }));
        const before = store.look(fresh);
        const { allowed, atMs } = store.charge(fresh);
        if (!allowed || !gives) continue;
        store.refund(fresh, atMs);
        const after = store.look(fresh);
        expect(after.map(({ remaining }) => remaining)).toEqual(before.map(({ remaining }) => remaining));
      }
    });
    fc.assert(property, { numRuns: 200 });
  });

  it("has no counter that another one changes", () => {
    const property = fc.property(steps, charge, (list, watched) => {
      const [all, alone] = [atStart(), atStart()];
      for (const { gap, charges } of list) {
        all.clock.now += gap;
        alone.clock.now += gap;
        for (const one of charges) {
          const answer = all.store.charge([one]);
          if (one.group !== watched.group || one.key !== watched.key) continue;
          expect(alone.store.charge([one])).toEqual(answer);
        }
      }
      expect(alone.store.look([watched])).toEqual(all.store.look([watched]));
    });
    fc.assert(property, { numRuns: 1_000 });
  });

  it("forgets nothing that is in force, however often it is swept", () => {
    const property = fc.property(steps, (list) => {
      const [swept, left] = [atStart(), atStart()];
      for (const { gap, charges } of list) {
        swept.clock.now += gap;
        left.clock.now += gap;
        swept.store.sweep();
        // A bucket is kept for as long as it takes to drain under the limit of its last charge.
        const steady = charges.map((one) => ({ ...one, limit: 5, burst: 5 }));
        expect(swept.store.charge(steady)).toEqual(left.store.charge(steady));
      }
      swept.clock.now += 600_000;
      while (swept.store.sweep());
      expect(swept.store.size).toBe(0);
    });
    fc.assert(property, { numRuns: 200 });
  });
});
