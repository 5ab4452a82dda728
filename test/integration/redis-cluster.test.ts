import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createRedisStore } from "../../src/adapters/index.js";
import type { CounterStore } from "../../src/quota/index.js";
import { aCharge, freshKey } from "../support/counter-store-subject.js";
import { describeCounterStore } from "../support/counter-store-suite.js";
import { type RedisCluster, startRedisCluster } from "../support/redis-cluster.js";

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await startRedisCluster();
});
afterAll(async () => {
  await cluster.stop();
});

function create(timeoutMs: number): CounterStore {
  const urls = cluster.nodes.slice(0, 2).map(({ url }) => url);
  return createRedisStore({ urls, cluster: true, timeoutMs }, {});
}

describeCounterStore({
  name: "Redis Cluster",
  create: () => ({ store: create(10_000), now: Date.now, pass: sleep }),
  cannot: ["stopTime"],
});

describe("a store on a Redis Cluster", () => {
  const stores: CounterStore[] = [];
  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
  });
  const open = (timeoutMs = 10_000): CounterStore => {
    const store = create(timeoutMs);
    stores.push(store);
    return store;
  };
  const slotOf = async (group: string): Promise<number> =>
    Number(await cluster.admins[0]?.cluster("KEYSLOT", `{${group}}`));
  const nodeOf = async (group: string): Promise<number> =>
    Math.floor((3 * (await slotOf(group)) + 2) / 16_384);
  /** Of each node one. */
  const groups: string[] = [];
  beforeAll(async () => {
    for (let node = 0; node < 3; node++) {
      let i = 0;
      while ((await nodeOf(`g${i}`)) !== node) i++;
      groups.push(`g${i}`);
    }
  });

  test("spreads groups over the nodes", async () => {
    const store = open();
    const sizes = await Promise.all(cluster.admins.map((admin) => admin.dbsize()));
    await store.charge(groups.map((group) => aCharge({ group })));
    for (const [i, admin] of cluster.admins.entries()) expect(await admin.dbsize()).toBe((sizes[i] ?? 0) + 1);
  });

  test("lets exactly the limit pass over several groups, asked by two stores", async () => {
    const both = [open(), open()];
    const charges = groups.map((group, i) => aCharge({ group, limit: 50 + 10 * i }));
    let passed = 0;
    for (let i = 0; i < 100; i++) {
      const result = await both[i % 2]?.charge(i < 20 ? charges.slice(1) : charges);
      if (result?.allowed) passed += 1;
    }
    expect(passed).toBe(60);
    const left = (await both[0]?.look(charges))?.map(({ remaining }) => remaining);
    expect(left).toEqual([10, 0, 10]);
  });

  test("gives back what others reserved, and counts no trial, where the last group refuses", async () => {
    const store = open();
    const [a, b, c] = groups.map((group) => aCharge({ group, id: "once" }));
    if (a === undefined || b === undefined || c === undefined) throw new Error("three groups");
    const full = { ...c, limit: 0, burst: 0 };
    const trial = aCharge({ group: a.group, isTrial: true });
    await store.charge([b]);
    const { allowed, counters } = await store.charge([trial, a, b, full]);
    expect(allowed).toBe(false);
    expect(counters.map((counter) => [counter.allowed, counter.remaining])).toEqual([
      [true, 10],
      [true, 10],
      [true, 9],
      [false, 0],
    ]);
    // What was charged before under its id was not given back.
    expect((await store.charge([b])).counters[0]?.remaining).toBe(9);
    expect((await store.charge([trial, a, b, c])).counters.map(({ remaining }) => remaining)).toEqual([
      9, 9, 9, 9,
    ]);
  });

  test("gives back leases of other groups by the one time of the charge", async () => {
    const store = open();
    const charges = groups.map((group) =>
      aCharge({ group, algorithm: "concurrency", windowMs: 6_400, limit: 3 }),
    );
    const { atMs } = await store.charge(charges);
    await store.refund(charges, atMs);
    expect((await store.look(charges)).map(({ remaining }) => remaining)).toEqual([3, 3, 3]);
  });

  test("follows a slot that moved to another node", async () => {
    const store = open();
    const group = freshKey();
    const slot = await slotOf(group);
    const from = await nodeOf(group);
    const to = (from + 1) % 3;
    await store.charge([aCharge({ group: groups[to] ?? "" })]);
    const [source, target] = [cluster.admins[from], cluster.admins[to]];
    const id = String(await target?.cluster("MYID"));
    await target?.call("CLUSTER", "SETSLOT", String(slot), "NODE", id);
    await source?.call("CLUSTER", "SETSLOT", String(slot), "NODE", id);
    const one = aCharge({ group });
    expect((await store.charge([one])).counters[0]?.remaining).toBe(9);
    expect((await store.charge([one])).counters[0]?.remaining).toBe(8);
  });

  test("is out of order only for the groups of a node that hangs", async () => {
    const store = open(300);
    for (const group of groups) await store.charge([aCharge({ group })]);
    cluster.nodes[2]?.pause();
    try {
      const [first, , last] = groups.map((group) => aCharge({ group }));
      if (first === undefined || last === undefined) throw new Error("three groups");
      await expect(store.charge([first, last])).rejects.toMatchObject({ fault: "timeout" });
      expect((await store.charge([first])).counters[0]?.remaining).toBe(9);
    } finally {
      cluster.nodes[2]?.resume();
    }
  });
});
