import { describe, expect, it } from "vitest";
import { createMemoryStore, type MemoryStore } from "../../../src/quota/index.js";
import { aCharge } from "../../support/counter-store-subject.js";
import { describeCounterStore } from "../../support/counter-store-suite.js";

const start = Date.UTC(2026, 10, 21, 12, 34, 56, 789);
const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;

interface Clocked {
  readonly store: MemoryStore;
  readonly move: (ms: number) => void;
}

function withClock(maxCounters = 1_000_000): Clocked {
  let now = start;
  const store = createMemoryStore({ now: () => now, maxCounters });
  return {
    store,
    move: (ms) => {
      now += ms;
    },
  };
}

function sweepAll(store: MemoryStore): void {
  while (store.sweep());
}

describeCounterStore({
  name: "memory",
  create: () => {
    let now = start;
    return {
      store: createMemoryStore({ now: () => now }),
      now: () => now,
      pass: async (ms) => {
        now += ms;
      },
    };
  },
});

describe("a memory store's room", () => {
  const one = (key: string, windowMs = hourMs) => aCharge({ key, windowMs });

  it("takes so many counters and no more, and never drops one in force", () => {
    const { store } = withClock(3);
    for (const key of ["a", "b", "c"]) store.charge([one(key)]);
    expect(() => store.charge([one("d")])).toThrow(expect.objectContaining({ fault: "full" }));
    expect(() => store.add({ ...anAddition("d"), group: "suite" })).toThrow(
      expect.objectContaining({ fault: "full" }),
    );
    expect(store.charge([one("a")]).counters[0]?.remaining).toBe(8);
    expect(store.size).toBe(3);
  });

  it("counts none of several charges where one finds no room", () => {
    const { store } = withClock(2);
    store.charge([one("a")]);
    expect(() => store.charge([one("a"), one("b"), one("c")])).toThrow("no room");
    expect(store.look([one("a")])[0]?.remaining).toBe(9);
    expect(store.size).toBe(1);
  });

  it("refuses what another counter refuses, though there is no room", () => {
    const { store } = withClock(1);
    const full = { ...one("a"), cost: 10 };
    store.charge([full]);
    expect(store.charge([one("b"), full]).allowed).toBe(false);
  });

  it("passes where only a trial finds no room, and does not count that", () => {
    const { store } = withClock(1);
    const { allowed, counters } = store.charge([{ ...one("a"), isTrial: true }, one("b")]);
    expect(allowed).toBe(true);
    expect(counters.map(({ remaining }) => remaining)).toEqual([10, 9]);
    expect(store.size).toBe(1);
  });

  it("has room again when counters are over", () => {
    const { store, move } = withClock(2);
    store.charge([one("a", 1_000), one("b", 1_000)]);
    move(2_000);
    expect(store.charge([one("c", 1_000), one("d", 1_000)]).allowed).toBe(true);
    expect(store.size).toBe(2);
  });

  it("needs none for looks, for refusals and for costs of 0", () => {
    const { store } = withClock(1);
    store.look([one("a")]);
    store.charge([{ ...one("b"), cost: 0 }]);
    store.charge([{ ...one("c"), limit: 0 }]);
    store.add({ ...anAddition("d", 0), group: "suite" });
    expect(store.size).toBe(0);
  });

  it("counts remembered ids too, and lets them go after their time", () => {
    const { store, move } = withClock(4);
    const bucket = (id: string) =>
      aCharge({ key: "a", algorithm: "tokenBucket", windowMs: 1_000, limit: 100, id });
    for (const id of ["1", "2", "3"]) store.charge([bucket(id)]);
    expect(store.size).toBe(4);
    expect(() => store.charge([bucket("4")])).toThrow("no room");
    move(2_000);
    sweepAll(store);
    expect(store.size).toBe(0);
  });

  it("lets ids of a counter in force go after their time", () => {
    const { store, move } = withClock();
    for (let i = 0; i < 1_000; i++) {
      store.charge([
        aCharge({ key: "busy", algorithm: "tokenBucket", windowMs: 1_000, limit: 500, id: `${i}` }),
      ]);
      move(10);
    }
    expect(store.size).toBeLessThan(110);
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 25])("cannot be %s", (maxCounters) => {
    expect(() => createMemoryStore({ now: () => start, maxCounters })).toThrow(RangeError);
  });

  it("forgets all when it is closed", async () => {
    const { store } = withClock();
    store.charge([one("a")]);
    await store.close();
    expect(store.size).toBe(0);
  });
});

describe("a memory store in the course of time", () => {
  it("forgets a hundred thousand counters of all kinds when they are over", () => {
    const { store, move } = withClock();
    const algorithms = ["fixedWindow", "slidingWindow", "tokenBucket", "concurrency"] as const;
    for (let i = 0; i < 100_000; i++) {
      const algorithm = algorithms[i % 4] ?? "fixedWindow";
      store.charge([aCharge({ key: `${i}`, algorithm, windowMs: 1_000 * (1 + (i % 100)) })]);
    }
    store.add({ ...anAddition("hits"), group: "suite" });
    move(201_000);
    sweepAll(store);
    expect(store.size).toBe(1);
    move(400_000);
    sweepAll(store);
    expect(store.size).toBe(0);
  });

  it("forgets by the way, without being swept", () => {
    const { store, move } = withClock();
    for (let i = 0; i < 10_000; i++) {
      store.charge([aCharge({ key: `${i}`, windowMs: 1_000 })]);
      move(1);
    }
    expect(store.size).toBeLessThan(2_500);
  });

  it("keeps a counter that is charged again and again", () => {
    const { store, move } = withClock();
    const one = aCharge({ key: "busy", algorithm: "concurrency", windowMs: 10_000, limit: 1_000 });
    for (let i = 0; i < 500; i++) {
      store.charge([one]);
      move(500);
      store.sweep();
    }
    expect(store.look([one])[0]?.remaining).toBe(980);
  });

  it("is through with a jump of a hundred years at once", () => {
    const { store, move } = withClock();
    for (let i = 0; i < 1_000; i++) store.charge([aCharge({ key: `${i}`, windowMs: hourMs })]);
    store.charge([aCharge({ key: "for ever", algorithm: "concurrency" })]);
    move(50 * yearMs);
    sweepAll(store);
    expect(store.size).toBe(1);
    move(60 * yearMs);
    sweepAll(store);
    expect(store.size).toBe(0);
  });

  it("keeps nothing for ever when the clock goes back by years", () => {
    const { store, move } = withClock();
    for (let i = 0; i < 1_000; i++) store.charge([aCharge({ key: `${i}`, windowMs: hourMs, id: "x" })]);
    store.add({ ...anAddition("hits"), group: "suite" });
    move(-10 * yearMs);
    store.sweep();
    expect(store.size).toBe(2_001);
    move(2 * hourMs);
    sweepAll(store);
    expect(store.size).toBe(0);
  });

  it("lets go of the ids of a busy counter when the clock goes back by years", () => {
    const { store, move } = withClock();
    const charge = (id: string) =>
      store.charge([aCharge({ key: "busy", algorithm: "tokenBucket", windowMs: 1_000, limit: 1_000, id })]);
    for (let i = 0; i < 100; i++) charge(`before ${i}`);
    move(-10 * yearMs);
    for (let i = 0; i < 100; i++) {
      charge(`after ${i}`);
      move(10);
    }
    expect(store.size).toBeLessThan(120);
    move(2_100);
    sweepAll(store);
    expect(store.size).toBe(0);
  });

  it("keeps what is counted when the clock goes back by less than a window", () => {
    const { store, move } = withClock();
    const one = aCharge({ key: "a", windowMs: hourMs, limit: 1 });
    store.charge([one]);
    // The window began 34 minutes ago.
    move(-50 * 60_000);
    expect(store.charge([one]).allowed).toBe(false);
    move(30 * 60_000);
    sweepAll(store);
    expect(store.charge([one]).allowed).toBe(false);
    move(46 * 60_000);
    expect(store.charge([one]).allowed).toBe(true);
  });

  it("keeps what is counted while the clock goes to and fro", () => {
    const { store, move } = withClock();
    const one = aCharge({ key: "a", algorithm: "slidingWindow", windowMs: hourMs, limit: 1 });
    store.charge([one]);
    for (let i = 0; i < 100; i++) {
      move(i % 2 === 0 ? 15 * 60_000 : -15 * 60_000);
      sweepAll(store);
      expect(store.charge([one]).allowed).toBe(false);
    }
  });
});

function anAddition(key: string, hits = 1) {
  return { additions: [{ key, hits, ttlSeconds: 300, limit: 10 }], stopsWhenOver: false };
}
