import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createRedisStore, type RedisObserver } from "../../src/adapters/index.js";
import type { Charge, CounterStore } from "../../src/quota/index.js";
import { aCharge, algorithms, freshKey } from "../support/counter-store-subject.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";

let server: RedisServer;
let probe: Redis;
beforeAll(async () => {
  server = await startRedis();
  probe = new Redis(server.url);
});
afterAll(async () => {
  probe.disconnect();
  await server.stop();
});

const stores: CounterStore[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

function open(observer?: RedisObserver): CounterStore {
  const store = createRedisStore(
    { urls: [server.url], cluster: false, timeoutMs: 20_000 },
    observer === undefined ? {} : { observer },
  );
  stores.push(store);
  return store;
}

const inStats = async (name: string): Promise<number> =>
  Number(new RegExp(`${name}:(\\d+)`).exec(await probe.info("stats"))?.[1]);

describe("several stores on one Redis", () => {
  test.each(algorithms)(
    "let 137 of 1,000 pass by %s, asked by four callers at three stores",
    async (algorithm) => {
      const replicas = [open(), open(), open()];
      const one = aCharge({ algorithm, limit: 137 });
      let asked = 0;
      let passed = 0;
      const caller = async (place: number): Promise<void> => {
        while (asked < 1_000) {
          const store = replicas[asked++ % 3];
          const result = await store?.charge([one]);
          if (result?.allowed) passed += 1;
          if (place === 3) await sleep(0);
        }
      };
      await Promise.all([0, 1, 2, 3].map(caller));
      expect({ asked, passed }).toEqual({ asked: 1_000, passed: 137 });
    },
  );

  test("charge several counters as one, whoever comes first", async () => {
    const replicas = [open(), open(), open()];
    const [wide, narrow] = [aCharge({ limit: 500 }), aCharge({ limit: 60, algorithm: "tokenBucket" })];
    const ask = (both: boolean, i: number) =>
      replicas[i % 3]?.charge(both ? [wide, narrow] : [wide]) ?? Promise.reject(new Error("no store"));
    const answers = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => ({ both: i % 2 === 0, ...(await ask(i % 2 === 0, i)) })),
    );
    const passed = (both: boolean) =>
      answers.filter((answer) => answer.both === both && answer.allowed).length;
    expect([passed(true), passed(false)]).toEqual([60, 150]);
    expect((await replicas[0]?.look([wide]))?.[0]?.remaining).toBe(500 - 60 - 150);
  });
});

describe("a store on Redis", () => {
  test("sends what is asked in one turn in one write, one command each", async () => {
    const store = open();
    await store.charge([aCharge(), aCharge()]);
    await store.charge([aCharge()]);
    const before = [
      await inStats("total_reads_processed"),
      await inStats("total_commands_processed"),
    ] as const;
    const charges = Array.from({ length: 40 }, (_, i) =>
      store.charge(i % 2 ? [aCharge()] : [aCharge(), aCharge()]),
    );
    await Promise.all(charges);
    const after = [
      await inStats("total_reads_processed"),
      await inStats("total_commands_processed"),
    ] as const;
    // Two reads are the questions of this test; those for 40 charges fit into one buffer of 16 kB or two.
    expect(after[0] - before[0] - 2).toBeLessThanOrEqual(2);
    // Each charge runs TIME and a GET and a SET for each counter in its script.
    expect(after[1] - before[1] - 2).toBeLessThanOrEqual(40 + 20 * 3 + 20 * 5);
  });

  test("gives every key an end", async () => {
    const store = open();
    await probe.flushall();
    for (const algorithm of algorithms) {
      const one = aCharge({ algorithm, windowMs: 60_000, id: "once" });
      const { atMs } = await store.charge([one, aCharge({ algorithm, windowMs: 3_600_000 })]);
      await store.charge([aCharge({ algorithm })]);
      await store.charge([{ ...one, id: "twice" }]);
      await store.refund([one], atMs);
      await store.reset([{ group: one.group, key: freshKey() }]);
    }
    await store.add({
      group: "g",
      additions: [1, 0, -1].map((hits) => ({ key: freshKey(), hits, ttlSeconds: 60, limit: 5 })),
      stopsWhenOver: false,
    });
    const keys = await probe.keys("*");
    expect(keys.length).toBeGreaterThan(15);
    for (const key of keys) expect(await probe.pttl(key)).toBeGreaterThan(0);
  });

  test("does not ask again about what was refused, until it is reset or the limit changes", async () => {
    let [asked, refused] = [0, 0];
    const store = open({
      operation: () => {
        asked += 1;
      },
      breaker: () => {},
      connection: () => {},
      refusedLocally: () => {
        refused += 1;
      },
    });
    const one = aCharge({ limit: 1 });
    await store.charge([one]);
    const [first, second] = [await store.charge([one]), await store.charge([one])];
    expect([asked, refused]).toEqual([2, 1]);
    expect(second.allowed).toBe(false);
    expect(second.counters[0]?.resetMs).toBeLessThanOrEqual(first.counters[0]?.resetMs ?? 0);
    expect((await store.charge([{ ...one, limit: 2, burst: 2 }])).allowed).toBe(true);
    await store.reset([one]);
    expect((await store.charge([one])).allowed).toBe(true);
  });

  test("sees within a second that somebody else reset a counter", async () => {
    const [store, other] = [open(), open()];
    const one = aCharge({ limit: 1 });
    await store.charge([one]);
    expect((await store.charge([one])).allowed).toBe(false);
    await other.reset([one]);
    await sleep(1_050);
    expect((await store.charge([one])).allowed).toBe(true);
  });

  const count = process.env["GATEHOUSE_SOAK"] ? 1_000_000 : 100_000;
  test(`leaves nothing of ${count} keys when their windows are over`, { timeout: 300_000 }, async () => {
    const store = open();
    await probe.flushall();
    await store.charge([aCharge({ windowMs: 1 })]);
    await sleep(20);
    await probe.flushall();
    const usedBefore = Number(/used_memory:(\d+)/.exec(await probe.info("memory"))?.[1]);
    let next = 0;
    let peak = 0;
    const run = freshKey();
    const charge = (i: number): Charge =>
      aCharge({ key: `${run}/${i}`, windowMs: 1_500, algorithm: algorithms[i % 4] ?? "fixedWindow" });
    await Promise.all(
      Array.from({ length: 500 }, async () => {
        while (next < count) {
          const i = next++;
          await store.charge([charge(i)]);
          if (i % 20_000 === 0) peak = Math.max(peak, await probe.dbsize());
        }
      }),
    );
    expect(peak).toBeGreaterThan(100);
    for (let i = 0; i < 200 && (await probe.dbsize()) > 0; i++) await sleep(100);
    expect(await probe.dbsize()).toBe(0);
    const used = Number(/used_memory:(\d+)/.exec(await probe.info("memory"))?.[1]);
    expect(used - usedBefore).toBeLessThan(8 * 2 ** 20);
    if (process.env["GATEHOUSE_SOAK"]) {
      console.log(`${count} keys, at most ${peak} at once, memory ${usedBefore} before and ${used} after`);
    }
  });
});
