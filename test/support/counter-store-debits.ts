import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Charge, CounterState } from "../../src/quota/index.js";
import { aCharge, algorithms, freshKey, type Subject } from "./counter-store-subject.js";

/** What `debit` does, and what charges find after it. */
export function debitSentences(under: Subject, can: (what: string) => boolean): void {
  const charge = async (one: Charge): Promise<CounterState | undefined> =>
    (await under().store.charge([one])).counters[0];
  const debit = async (one: Charge): Promise<CounterState | undefined> =>
    (await under().store.debit([one]))[0];
  const look = async (one: Charge): Promise<CounterState | undefined> => (await under().store.look([one]))[0];
  const awaitWindow = async (windowMs: number): Promise<void> =>
    under().pass(windowMs - (under().now() % windowMs) + 1);

  describe.each(algorithms)("counting by %s what was used already", (algorithm) => {
    it("takes it like a charge where it fits", async () => {
      const one = aCharge({ algorithm, limit: 10, cost: 4 });
      expect(await debit(one)).toMatchObject({ allowed: true, remaining: 6 });
      expect(await charge(one)).toMatchObject({ allowed: true, remaining: 2 });
      expect(await look({ ...one, cost: 0 })).toMatchObject({ allowed: true, remaining: 2 });
    });

    it("takes all of it where it does not, and nothing passes then", async () => {
      const one = aCharge({ algorithm, limit: 10, cost: 8 });
      await charge(one);
      expect(await debit(one)).toMatchObject({ allowed: false, remaining: 0 });
      expect(await charge({ ...one, cost: 1 })).toMatchObject({ allowed: false, remaining: 0 });
      expect(await charge({ ...one, cost: 0 })).toMatchObject({ allowed: false });
      const raised = { ...one, limit: 20, burst: 20 };
      expect(await look({ ...raised, cost: 4 })).toMatchObject({ allowed: true, remaining: 4 });
    });

    it("loses none of what many take at once", async () => {
      const one = aCharge({ algorithm, limit: 10, cost: 7 });
      await Promise.all(Array.from({ length: 20 }, () => debit(one)));
      const raised = { ...one, limit: 150, burst: 150 };
      expect(await look({ ...raised, cost: 0 })).toMatchObject({ remaining: 10 });
    });

    it("takes it each time, whatever its id, on trial too", async () => {
      const one = aCharge({ algorithm, limit: 10, cost: 3, id: "again", isTrial: true });
      await debit(one);
      expect(await debit(one)).toMatchObject({ allowed: true, remaining: 4 });
      expect(await charge({ ...one, isTrial: false })).toMatchObject({ allowed: true, remaining: 1 });
    });

    it("takes nothing of a cost of 0, nor of a limit of 0", async () => {
      const [none, closed] = [aCharge({ algorithm, cost: 0 }), aCharge({ algorithm, limit: 0, cost: 3 })];
      expect(await debit(none)).toMatchObject({ allowed: true, remaining: 10 });
      expect(await debit(closed)).toMatchObject({ allowed: false, remaining: 0 });
      expect(await under().store.reset([none, closed])).toBe(0);
    });

    it("gives back what is owed like what was charged", async () => {
      const one = aCharge({ algorithm, limit: 10, cost: 25 });
      const atMs = under().now();
      await debit(one);
      await under().store.refund([{ ...one, cost: 18 }], algorithm === "concurrency" ? -1 : atMs);
      expect(await look({ ...one, cost: 0 })).toMatchObject({ allowed: true, remaining: 3 });
    });

    it("is over when it was told to be", async () => {
      const windowMs = 200;
      await awaitWindow(windowMs);
      const one = aCharge({ algorithm, windowMs, limit: 10, cost: 25 });
      const owed = await debit(one);
      expect(owed?.resetMs).toBeLessThanOrEqual(algorithm === "tokenBucket" ? 500 : 2 * windowMs);
      await under().pass(owed?.resetMs ?? 0);
      expect(await charge({ ...one, cost: 10 })).toMatchObject({ allowed: true, remaining: 0 });
    });
  });

  it("a bucket that owes lets pass again when that has drained", async () => {
    const one = aCharge({ algorithm: "tokenBucket", windowMs: 300, limit: 10, cost: 20 });
    await debit(one);
    const refused = await charge({ ...one, cost: 1 });
    expect(refused).toMatchObject({ allowed: false });
    // 11 units have to drain, 10 in each window.
    expect(refused?.retryMs).toBeGreaterThan(200);
    expect(refused?.retryMs).toBeLessThanOrEqual(330);
    await under().pass(refused?.retryMs ?? 0);
    expect(await charge({ ...one, cost: 1 })).toMatchObject({ allowed: true });
  });

  it("several are counted at once, each by itself, in their order", async () => {
    const charges = algorithms.map((algorithm, i) => aCharge({ algorithm, limit: 10, cost: 8 + i }));
    const states = await under().store.debit(charges);
    expect(states.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
      [true, 2],
      [true, 1],
      [true, 0],
      [false, 0],
    ]);
    expect(await under().store.debit([])).toEqual([]);
  });

  it("counters show the sum of what was charged, owed and given back, in whatever order", async () => {
    const amount = fc.integer({ min: 0, max: 40 });
    const exchange = fc.record({ reserve: amount, used: amount });
    const property = fc.asyncProperty(
      fc.constantFrom(...algorithms.filter((one) => one !== "concurrency")),
      fc.array(exchange, { maxLength: 12 }),
      async (algorithm, exchanges) => {
        const wide = { limit: 1_000, burst: 1_000 };
        const one = aCharge({ algorithm, key: freshKey(), ...wide });
        await Promise.all(
          exchanges.map(async ({ reserve, used }) => {
            const { atMs } = await under().store.charge([{ ...one, cost: reserve }]);
            const narrow = { limit: 1, burst: 1 };
            if (used >= reserve) await under().store.debit([{ ...one, ...narrow, cost: used - reserve }]);
            else await under().store.refund([{ ...one, cost: reserve - used }], atMs);
          }),
        );
        const sum = exchanges.reduce((total, { used }) => total + used, 0);
        expect(await look({ ...one, cost: 0 })).toMatchObject({ remaining: 1_000 - sum });
      },
    );
    await fc.assert(property, { numRuns: can("manyKeys") ? 100 : 30 });
  });
}
