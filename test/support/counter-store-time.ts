import { describe, expect, it } from "vitest";
import type { Charge, CounterState } from "../../src/quota/index.js";
import { aCharge, algorithms, type Subject } from "./counter-store-subject.js";

/** What happens when time passes; written so that a clock that runs by itself will do. */
export function timeSentences(under: Subject): void {
  const windowMs = 1_000;
  const charge = async (one: Charge): Promise<CounterState> => {
    const [counter] = (await under().store.charge([one])).counters;
    if (counter === undefined) throw new Error("no counter came back");
    return counter;
  };
  /** The tests below take much less than a window. */
  const awaitWindow = async (): Promise<void> => under().pass(windowMs - (under().now() % windowMs) + 1);

  describe("as time passes", () => {
    it.each(algorithms)("all units of %s are there again after the reset", async (algorithm) => {
      await awaitWindow();
      const one = aCharge({ algorithm, windowMs, limit: 5, cost: 5 });
      const { allowed, resetMs } = await charge(one);
      expect(allowed).toBe(true);
      expect(resetMs).toBeGreaterThan(0);
      expect(resetMs).toBeLessThanOrEqual(2 * windowMs);
      await under().pass(resetMs);
      expect(await charge({ ...one, cost: 0 })).toMatchObject({ allowed: true, remaining: 5 });
      expect(await charge(one)).toMatchObject({ allowed: true });
    });

    it.each(algorithms)(
      "a charge that %s refused passes when it was told to come again",
      async (algorithm) => {
        await awaitWindow();
        const one = aCharge({ algorithm, windowMs, limit: 10, cost: 6 });
        await charge(one);
        const { allowed, retryMs } = await charge(one);
        expect(allowed).toBe(false);
        await under().pass(retryMs);
        expect(await charge(one)).toMatchObject({ allowed: true });
      },
    );

    it("units of a window that is over do not come back into the next", async () => {
      await awaitWindow();
      const one = aCharge({ windowMs, limit: 3, cost: 3 });
      const { atMs } = await under().store.charge([one]);
      await awaitWindow();
      await charge(one);
      await under().store.refund([one], atMs);
      expect(await charge({ ...one, cost: 1 })).toMatchObject({ allowed: false });
    });

    it("a lease that ran out gives back nothing of another's", async () => {
      const one = aCharge({ algorithm: "concurrency", windowMs, limit: 2, cost: 2 });
      const { atMs } = await under().store.charge([one]);
      await under().pass(windowMs + windowMs / 16);
      expect(await charge(one)).toMatchObject({ allowed: true });
      await under().store.refund([one], atMs);
      expect(await charge({ ...one, cost: 1 })).toMatchObject({ allowed: false });
    });

    it("an id is forgotten after a window", async () => {
      const one = aCharge({ algorithm: "tokenBucket", windowMs, limit: 1, id: "again" });
      await charge(one);
      expect(await charge(one)).toMatchObject({ allowed: true, remaining: 0 });
      await under().pass(windowMs + 50);
      expect(await charge(one)).toMatchObject({ allowed: true, remaining: 0 });
      expect(await charge({ ...one, id: "other" })).toMatchObject({ allowed: false });
    });
  });
}
