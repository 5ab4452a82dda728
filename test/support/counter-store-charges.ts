import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Charge } from "../../src/quota/index.js";
import { aCharge, algorithms, freshKey, type Subject } from "./counter-store-subject.js";

const most = 2 ** 32 - 1;
const dayMs = 86_400_000;

/** What `charge`, `look` and `refund` do while no time passes that matters. */
export function chargeSentences(under: Subject, can: (what: string) => boolean): void {
  const charge = async (...charges: readonly Charge[]) => under().store.charge(charges);
  const remaining = async (...charges: readonly Charge[]): Promise<number[]> =>
    (await under().store.look(charges)).map((counter) => counter.remaining);

  describe.each(algorithms)("counting by %s", (algorithm) => {
    it("lets the limit pass and nothing more", async () => {
      const one = aCharge({ algorithm, limit: 3 });
      const answers = [];
      for (let i = 0; i < 5; i++) answers.push(await charge(one));
      expect(answers.map(({ allowed }) => allowed)).toEqual([true, true, true, false, false]);
      expect(answers.map(({ counters }) => counters[0]?.remaining)).toEqual([2, 1, 0, 0, 0]);
      expect(answers.map(({ counters }) => counters[0]?.allowed)).toEqual([true, true, true, false, false]);
    });

    it("lets the limit pass and nothing more when all come at once", async () => {
      const one = aCharge({ algorithm, limit: 20 });
      const answers = await Promise.all(Array.from({ length: 50 }, () => charge(one)));
      expect(answers.filter(({ allowed }) => allowed)).toHaveLength(20);
    });

    it("counts a cost as so many units, and none of one that does not fit", async () => {
      const one = aCharge({ algorithm, limit: 10, cost: 4 });
      expect((await charge(one, aCharge())).allowed).toBe(true);
      expect((await charge(one)).counters[0]).toMatchObject({ allowed: true, remaining: 2 });
      expect((await charge(one)).counters[0]).toMatchObject({ allowed: false, remaining: 2 });
      expect((await charge({ ...one, cost: 2 })).counters[0]).toMatchObject({ allowed: true, remaining: 0 });
    });

    it("lets nothing pass of a limit of 0, not even a cost of 0", async () => {
      const one = aCharge({ algorithm, limit: 0 });
      expect((await charge(one)).counters[0]).toMatchObject({ allowed: false, remaining: 0 });
      expect((await charge({ ...one, cost: 0 })).counters[0]).toMatchObject({ allowed: false, remaining: 0 });
    });

    it("looks with a cost of 0, and passes where all is used up", async () => {
      const one = aCharge({ algorithm, limit: 2, cost: 2 });
      expect((await charge({ ...one, cost: 0 })).counters[0]).toMatchObject({ allowed: true, remaining: 2 });
      await charge(one);
      expect((await charge({ ...one, cost: 0 })).counters[0]).toMatchObject({
        allowed: true,
        remaining: 0,
        retryMs: 0,
      });
    });

    it("never passes a cost above the limit, and says the reset as when to try again", async () => {
      const one = aCharge({ algorithm, limit: 5 });
      await charge(one);
      const [counter] = (await charge({ ...one, cost: 6 })).counters;
      expect(counter).toMatchObject({ allowed: false, remaining: 4 });
      expect(counter?.retryMs).toBe(counter?.resetMs);
    });

    // Of so many units some come back within each millisecond.
    const standsStill = algorithm !== "tokenBucket" || can("stopTime");
    it.runIf(standsStill)("is exact with the largest limit and cost", async () => {
      const one = aCharge({ algorithm, limit: most, cost: most, windowMs: dayMs });
      expect((await charge(one)).counters[0]).toMatchObject({ allowed: true, remaining: 0, retryMs: 0 });
      const two = aCharge({ algorithm, limit: most, cost: most - 1, windowMs: dayMs });
      expect((await charge(two)).counters[0]).toMatchObject({ allowed: true, remaining: 1 });
      expect((await charge({ ...two, cost: 2 })).allowed).toBe(false);
      expect((await charge({ ...two, cost: 1 })).counters[0]).toMatchObject({ allowed: true, remaining: 0 });
    });

    it.runIf(standsStill)(
      "lets the largest limit pass in the longest window and not a unit more",
      async () => {
        const one = aCharge({ algorithm, limit: most, cost: most });
        expect((await charge(one)).allowed).toBe(true);
        expect((await charge({ ...one, cost: 1 })).allowed).toBe(false);
        const two = aCharge({ algorithm, limit: most, cost: most - 1 });
        expect((await charge(two)).allowed).toBe(true);
        expect((await charge({ ...two, cost: 2 })).allowed).toBe(false);
        expect((await charge({ ...two, cost: 1 })).allowed).toBe(true);
      },
    );

    it("counts in a window of a millisecond", async () => {
      const one = aCharge({ algorithm, limit: 1, windowMs: 1 });
      expect((await charge(one)).allowed).toBe(true);
      await under().pass(5);
      expect((await charge(one)).allowed).toBe(true);
    });

    it("refuses under a lowered limit until it fits, and passes at once under a raised one", async () => {
      const one = aCharge({ algorithm, limit: 10, cost: 8 });
      await charge(one);
      const lowered = { ...one, limit: 5, burst: 5, cost: 1 };
      expect((await charge(lowered)).counters[0]).toMatchObject({ allowed: false, remaining: 0 });
      const raised = { ...one, limit: 20, burst: 20, cost: 12 };
      expect((await charge(raised)).counters[0]).toMatchObject({ allowed: true, remaining: 0 });
    });

    it("waits for nothing when it passes, and for something at most until the reset when it does not", async () => {
      const one = aCharge({ algorithm, limit: 1 });
      const [passed] = (await charge(one)).counters;
      const [refused] = (await charge(one)).counters;
      expect(passed?.retryMs).toBe(0);
      expect(refused?.retryMs).toBeGreaterThan(0);
      expect(refused?.retryMs).toBeLessThanOrEqual(refused?.resetMs ?? 0);
    });

    it("has all units again when they are given back", async () => {
      const one = aCharge({ algorithm, limit: 5, cost: 3 });
      const { atMs } = await charge(one);
      await under().store.refund([one], atMs);
      expect(await remaining(one)).toEqual([5]);
      await under().store.refund([one], atMs);
      expect(await remaining(one)).toEqual([5]);
    });

    it("gives back nothing to a counter that there is not", async () => {
      const one = aCharge({ algorithm });
      await under().store.refund([one], under().now());
      expect(await remaining(one)).toEqual([10]);
    });

    it("changes nothing by looking, and tells what a charge would find", async () => {
      const one = aCharge({ algorithm, limit: 5, cost: 3 });
      await charge(one);
      const looks = [await under().store.look([one]), await under().store.look([one])];
      for (const [counter] of looks) expect(counter).toMatchObject({ allowed: false, remaining: 2 });
      expect((await under().store.look([{ ...one, cost: 2 }]))[0]).toMatchObject({
        allowed: true,
        remaining: 2,
        retryMs: 0,
      });
      expect((await charge({ ...one, cost: 2 })).allowed).toBe(true);
    });

    it("forgets a counter that is reset", async () => {
      const one = aCharge({ algorithm, limit: 1 });
      await charge(one);
      expect(await under().store.reset([one, { group: one.group, key: freshKey() }])).toBe(1);
      expect((await charge(one)).allowed).toBe(true);
    });
  });

  describe("charging several counters", () => {
    it("counts none where one refuses, and says of each how it stands alone", async () => {
      const [open, closed] = [
        aCharge({ limit: 5 }),
        aCharge({ limit: 2, algorithm: "tokenBucket", cost: 2 }),
      ];
      await charge(closed);
      const { allowed, counters } = await charge(open, closed);
      expect(allowed).toBe(false);
      expect(counters.map((counter) => [counter.allowed, counter.remaining])).toEqual([
        [true, 5],
        [false, 0],
      ]);
      expect(await remaining(open, closed)).toEqual([5, 0]);
    });

    it("counts all where all pass, in the order of the charges", async () => {
      const charges = algorithms.map((algorithm, index) => aCharge({ algorithm, limit: 10 + index }));
      const { allowed, counters } = await charge(...charges);
      expect(allowed).toBe(true);
      expect(counters.map((counter) => counter.remaining)).toEqual([9, 10, 11, 12]);
    });

    it("passes with none", async () => {
      expect(await charge()).toMatchObject({ allowed: true, counters: [] });
    });

    it.runIf(can("chargeAcrossGroups"))("counts none where one of another group refuses", async () => {
      const [open, closed] = [aCharge({ group: "a" }), aCharge({ group: "b", limit: 0 })];
      expect((await charge(open, closed)).allowed).toBe(false);
      expect(await remaining(open)).toEqual([10]);
    });

    it("is not kept from passing by a trial that refuses, which is not counted then", async () => {
      const [real, trial] = [aCharge(), aCharge({ isTrial: true, limit: 2, cost: 3 })];
      const { allowed, counters } = await charge(trial, real);
      expect(allowed).toBe(true);
      expect(counters.map((counter) => counter.allowed)).toEqual([false, true]);
      expect(await remaining(trial, real)).toEqual([2, 9]);
    });

    it("counts a trial that passes, unless another refuses", async () => {
      const [trial, closed] = [aCharge({ isTrial: true }), aCharge({ limit: 0 })];
      expect((await charge(trial)).counters[0]).toMatchObject({ allowed: true, remaining: 9 });
      const { counters } = await charge(trial, closed);
      expect(counters[0]).toMatchObject({ allowed: true, remaining: 9 });
      expect(await remaining(trial)).toEqual([9]);
    });
  });

  describe("charging under an id", () => {
    it("counts once what comes with the same id twice", async () => {
      const one = aCharge({ id: "order-7" });
      expect((await charge(one)).counters[0]).toMatchObject({ allowed: true, remaining: 9 });
      expect((await charge(one)).counters[0]).toMatchObject({ allowed: true, remaining: 9, retryMs: 0 });
      expect((await charge({ ...one, id: "order-8" })).counters[0]).toMatchObject({ remaining: 8 });
    });

    it("passes a repeated one where the limit is used up by now", async () => {
      const one = aCharge({ limit: 1, id: "first" });
      await charge(one);
      expect((await charge({ ...one, id: "second" })).allowed).toBe(false);
      expect((await charge(one)).allowed).toBe(true);
    });

    it("does not remember what was refused", async () => {
      const one = aCharge({ limit: 1 });
      const { atMs } = await charge(one);
      expect((await charge({ ...one, id: "retry" })).allowed).toBe(false);
      await under().store.refund([one], atMs);
      expect((await charge({ ...one, id: "retry" })).counters[0]).toMatchObject({
        allowed: true,
        remaining: 0,
      });
    });

    it("does not remember what was refused by another counter", async () => {
      const one = aCharge({ id: "x" });
      await charge(one, aCharge({ limit: 0 }));
      expect((await charge(one)).counters[0]).toMatchObject({ remaining: 9 });
    });

    it("counts the same id on each counter", async () => {
      const charges = [aCharge({ id: "same" }), aCharge({ id: "same" })];
      await charge(...charges);
      expect(await remaining(...charges)).toEqual([9, 9]);
    });

    it("forgets an id whose charge is given back, and gives back once", async () => {
      const one = aCharge({ cost: 4, id: "job" });
      await charge({ ...one, id: undefined });
      const { atMs } = await charge(one);
      await under().store.refund([one], atMs);
      await under().store.refund([one], atMs);
      expect(await remaining({ ...one, id: undefined })).toEqual([6]);
      expect((await charge(one)).counters[0]).toMatchObject({ allowed: true, remaining: 2 });
    });
  });

  describe("the names of counters", () => {
    const odd = [
      "",
      " ",
      ":",
      "::",
      "{a}",
      "{}",
      "}{",
      "a\0b",
      "__proto__",
      "constructor",
      "a_b",
      "ä",
      "a\u0308",
    ];

    it("are taken as they are, whatever stands in them", async () => {
      const run = freshKey();
      for (const key of odd) {
        for (const group of [`${run}`, `${run}:`, `${run}}`, `{${run}`]) {
          expect((await charge(aCharge({ group, key, limit: 1 }))).allowed).toBe(true);
        }
      }
    });

    it("may be a million characters long", async () => {
      const long = freshKey() + "x".repeat(1_000_000);
      expect((await charge(aCharge({ key: `${long}1`, limit: 1 }))).allowed).toBe(true);
      expect((await charge(aCharge({ key: `${long}2`, limit: 1 }))).allowed).toBe(true);
      expect((await charge(aCharge({ key: `${long}1`, limit: 1 }))).allowed).toBe(false);
    });

    it("keep counters apart that differ in group, key or id", async () => {
      const part = fc.oneof(fc.constantFrom(...odd), fc.string({ maxLength: 6 }));
      const name = fc.tuple(part, part, fc.option(part, { nil: undefined }));
      const names = fc.uniqueArray(name, {
        minLength: 2,
        maxLength: 4,
        selector: (one) => JSON.stringify(one),
      });
      const property = fc.asyncProperty(names, async (list) => {
        const run = freshKey();
        const charges = list.map(([group, key, id]) => aCharge({ group: run + group, key, id }));
        const used = new Map<string, number>();
        for (const one of charges) {
          const counter = JSON.stringify([one.group, one.key]);
          used.set(counter, (used.get(counter) ?? 0) + 1);
          expect((await charge(one)).counters[0]?.remaining).toBe(10 - (used.get(counter) ?? 0));
        }
      });
      await fc.assert(property, { numRuns: can("manyKeys") ? 300 : 40 });
    });
  });
}
