import { describe, expect, it } from "vitest";
import type { Addition, AdditionRequest } from "../../src/quota/index.js";
import { aCharge, freshKey, type Subject } from "./counter-store-subject.js";

/** What `add`, `read` and `reset` do. */
export function additionSentences(under: Subject, can: (what: string) => boolean): void {
  const anAddition = (changes: Partial<Addition> = {}): Addition => ({
    key: freshKey(),
    hits: 1,
    ttlSeconds: 600,
    limit: 10,
    ...changes,
  });
  const add = async (...additions: readonly Addition[]) => send({ additions });
  const send = async (request: Pick<AdditionRequest, "additions"> & Partial<AdditionRequest>) =>
    under().store.add({ group: "suite", stopsWhenOver: false, ...request });
  const read = async (...keys: readonly string[]) =>
    under().store.read(keys.map((key) => ({ group: "suite", key })));

  describe("adding hits", () => {
    it("gives the value after each, whatever the limit", async () => {
      const one = anAddition({ hits: 7 });
      expect(await add(one)).toEqual([7]);
      expect(await add(one)).toEqual([14]);
      expect(await read(one.key)).toEqual([14]);
    });

    it("adds in order, and twice to a key that stands there twice", async () => {
      const [one, two] = [anAddition({ hits: 2 }), anAddition({ hits: 5 })];
      expect(await add(one, two, one)).toEqual([2, 5, 4]);
    });

    it("adds none", async () => {
      expect(await add()).toEqual([]);
    });

    it("loses none of what comes at once", async () => {
      const one = anAddition();
      const answers = await Promise.all(Array.from({ length: 50 }, () => add(one)));
      expect(answers.map(([value]) => value).sort((a = 0, b = 0) => a - b)).toEqual(
        Array.from({ length: 50 }, (_, index) => index + 1),
      );
    });

    it("looks with 0", async () => {
      const one = anAddition({ hits: 3 });
      expect(await add({ ...one, hits: 0 })).toEqual([0]);
      await add(one);
      expect(await add({ ...one, hits: 0 })).toEqual([3]);
    });

    it("gives back with a negative number, and never leads below 0", async () => {
      const one = anAddition({ hits: 5 });
      await add(one);
      expect(await add({ ...one, hits: -2 })).toEqual([3]);
      expect(await add({ ...one, hits: -9 })).toEqual([0]);
      expect(await add({ ...one, hits: 1 })).toEqual([1]);
      expect(await add(anAddition({ hits: -1 }))).toEqual([0]);
    });

    it.runIf(can("addExactly"))("loses nothing above 2^53", async () => {
      const one = anAddition({ hits: 2n ** 62n });
      expect(await add(one)).toEqual([2 ** 62]);
      await add({ ...one, hits: 1 });
      await add({ ...one, hits: 1n });
      expect(await add({ ...one, hits: -(2n ** 62n) })).toEqual([2]);
    });

    it("refuses what would pass 2^63 - 1, and has counted what came before", async () => {
      const [first, one] = [anAddition(), anAddition({ hits: 2n ** 63n - 1n })];
      await add(one);
      await expect(async () => add(first, { ...one, hits: 1 })).rejects.toMatchObject({ fault: "overflow" });
      expect(await read(first.key, one.key)).toEqual([1, 2 ** 63]);
    });

    it.runIf(can("nameGroups"))("keeps the names of groups apart", async () => {
      const one = anAddition();
      await send({ group: freshKey(), additions: [one] });
      expect(await add(one)).toEqual([1]);
    });

    it("is no charge, though the names are the same", async () => {
      const one = aCharge({ limit: 1 });
      await add(anAddition({ key: one.key, hits: 5 }));
      expect((await under().store.charge([one])).allowed).toBe(true);
      expect(await read(one.key)).toEqual([5]);
    });

    it("forgets a counter after its time, counted from the last addition", async () => {
      const one = anAddition({ ttlSeconds: 1 });
      await add(one);
      await under().pass(600);
      expect(await add(one)).toEqual([2]);
      await under().pass(600);
      expect(await read(one.key)).toEqual([2]);
      await under().pass(600);
      expect(await read(one.key)).toEqual([undefined]);
      expect(await add(one)).toEqual([1]);
    });

    it("reads what is there, and resets it", async () => {
      const one = anAddition({ hits: 4 });
      const nothing = freshKey();
      await add(one);
      expect(await read(one.key, nothing)).toEqual([4, undefined]);
      const keys = [one.key, nothing].map((key) => ({ group: "suite", key }));
      expect(await under().store.reset(keys)).toBe(1);
      expect(await read(one.key)).toEqual([undefined]);
    });
  });

  describe("adding hits, where those stop that would be over", () => {
    const stopping = async (...additions: readonly Addition[]) => send({ additions, stopsWhenOver: true });

    it("counts all where none would be over", async () => {
      const [one, two] = [anAddition({ hits: 10 }), anAddition({ hits: 2 })];
      expect(await stopping(one, two)).toEqual([10, 2]);
    });

    it("counts only those that would be over where one would", async () => {
      const [free, full] = [anAddition({ hits: 2 }), anAddition({ hits: 10 })];
      await stopping(free, full);
      expect(await stopping(free, { ...full, hits: 3 })).toEqual([2, 13]);
      expect(await read(free.key, full.key)).toEqual([2, 13]);
    });

    it("compares each with what was there before the request", async () => {
      const one = anAddition({ hits: 6 });
      expect(await stopping(one, one)).toEqual([6, 12]);
      expect(await stopping({ ...one, hits: 0 }, anAddition())).toEqual([12, 0]);
    });
  });
}
