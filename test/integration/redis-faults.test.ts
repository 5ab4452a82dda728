import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterEach, describe, expect, test } from "vitest";
import { createRedisStore, type RedisStoreOptions } from "../../src/adapters/index.js";
import type { CounterStore, StoreFault } from "../../src/quota/index.js";
import { aCharge, freshKey } from "../support/counter-store-subject.js";
import { freePort } from "../support/ports.js";
import { type RedisServer, type RedisServerOptions, startRedis } from "../support/redis-server.js";
import { startTcpProxy } from "../support/tcp-proxy.js";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const timeoutMs = 400;

async function start(options?: RedisServerOptions): Promise<RedisServer> {
  const server = await startRedis(options);
  closing.push(() => server.stop());
  return server;
}

function open(url: string, options: Partial<RedisStoreOptions> = {}): CounterStore & { lines: string[] } {
  const lines: string[] = [];
  const say = (fields: object, message: string): void => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  const store = createRedisStore(
    { urls: [url], cluster: false, timeoutMs, ...options },
    { logger: { info: say, warn: say } },
  );
  closing.push(() => store.close());
  return { ...store, lines };
}

/** `ok`, or the fault of the StoreError; anything else that is thrown fails the test. */
async function outcome(store: CounterStore): Promise<"ok" | StoreFault> {
  try {
    await store.charge([aCharge()]);
    return "ok";
  } catch (error) {
    const { name, fault } = error as { readonly name: string; readonly fault: StoreFault };
    expect(name).toBe("StoreError");
    return fault;
  }
}

async function msOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Fulfilled when charges pass again. */
async function recovers(store: CounterStore): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if ((await outcome(store)) === "ok") return;
    await sleep(50);
  }
  throw new Error("the store does not recover");
}

describe("a store on Redis", () => {
  test("is unavailable at once where nobody listens", async () => {
    const store = open(`redis://127.0.0.1:${await freePort()}`);
    expect(await outcome(store)).toBe("unavailable");
    expect(await outcome(store)).toBe("unavailable");
  });

  test("waits for the first connection", async () => {
    const { url } = await start();
    expect(await outcome(open(url))).toBe("ok");
  });

  test("times out while the server hangs, then does not ask, and asks again later", async () => {
    const server = await start();
    const store = open(server.url);
    expect(await outcome(store)).toBe("ok");
    server.pause();
    const first: string[] = [];
    for (let i = 0; i < 5; i++) first.push(await outcome(store));
    expect(first).toEqual(["timeout", "timeout", "timeout", "timeout", "timeout"]);
    expect(await outcome(store)).toBe("unavailable");
    expect(store.lines.some((line) => line.startsWith("redis is not asked for a while"))).toBe(true);
    server.resume();
    await recovers(store);
    expect(store.lines.some((line) => line.startsWith("redis is asked again"))).toBe(true);
  });

  test("is through with a question to a server that hangs at the deadline", async () => {
    const server = await start();
    const store = open(server.url);
    await outcome(store);
    server.pause();
    const ms = await msOf(() => Promise.all(Array.from({ length: 20 }, () => outcome(store))));
    expect(ms).toBeGreaterThanOrEqual(timeoutMs - 1);
    server.resume();
  });

  test("closes although the server hangs", async () => {
    const server = await start();
    const store = open(server.url);
    await outcome(store);
    server.pause();
    const asked = outcome(store);
    await store.close();
    expect(["unavailable", "timeout"]).toContain(await asked);
    expect(await outcome(store)).toBe("unavailable");
  });

  test("fails what is under way when the server is killed, and counts on when it is back, empty", async () => {
    const server = await start();
    const store = open(server.url);
    const key = freshKey();
    const charge = () => store.charge([aCharge({ key, limit: 1_000_000 })]);
    await charge();
    let isOver = false;
    const load = Promise.all(
      Array.from({ length: 8 }, async () => {
        const seen = new Set<string>();
        while (!isOver) {
          await Promise.resolve(charge()).then(
            () => seen.add("ok"),
            (error: { readonly fault: string }) => seen.add(error.fault),
          );
          await sleep(1);
        }
        return seen;
      }),
    );
    await sleep(100);
    await server.kill();
    expect(await outcome(store)).toBe("unavailable");
    await sleep(100);
    const again = await start({ port: server.port });
    await recovers(store);
    isOver = true;
    for (const seen of await load)
      expect([...seen].every((one) => /^(ok|unavailable|timeout)$/.test(one))).toBe(true);
    const [counter] = await store.look([aCharge({ key, limit: 1_000_000 })]);
    expect(counter?.remaining).toBeGreaterThan(0);
    expect(again.port).toBe(server.port);
  });

  test("counts nothing twice when the connection is lost", async () => {
    const server = await start();
    const proxy = await startTcpProxy(server.port, { delayMs: 150 });
    closing.push(() => proxy.close());
    const store = open(`redis://127.0.0.1:${proxy.port}`, { timeoutMs: 2_000 });
    const one = aCharge({ limit: 100 });
    await store.charge([one]);
    const probe = new Redis(server.url);
    closing.push(async () => probe.disconnect());
    const asked = Promise.resolve(store.charge([one])).then(
      () => "ok",
      ({ fault }) => fault,
    );
    await sleep(50);
    const own = await probe.client("ID");
    const list = String(await probe.client("LIST"));
    for (const line of list.split("\n")) {
      const id = /id=(\d+)/.exec(line)?.[1];
      if (id !== undefined && Number(id) !== own) await probe.client("KILL", "ID", Number(id));
    }
    expect(await asked).toBe("unavailable");
    await recovers(store);
    expect((await store.look([one]))[0]?.remaining).toBe(98);
  });

  test("is unavailable on a replica that only reads, and finds the server that writes later", async () => {
    const primary = await start();
    const server = await start({ args: ["--replicaof", "127.0.0.1", String(primary.port)] });
    const store = open(server.url);
    expect(await outcome(store)).toBe("unavailable");
    const probe = new Redis(server.url);
    closing.push(async () => probe.disconnect());
    await probe.replicaof("NO", "ONE");
    await recovers(store);
  });

  test("is full where the server has no memory left, and goes on when there is", async () => {
    const server = await start({ args: ["--maxmemory-policy", "noeviction"] });
    const store = open(server.url);
    const probe = new Redis(server.url);
    closing.push(async () => probe.disconnect());
    await probe.config("SET", "maxmemory", "1");
    for (let i = 0; i < 8; i++) expect(await outcome(store)).toBe("full");
    await probe.config("SET", "maxmemory", "0");
    expect(await outcome(store)).toBe("ok");
  });

  test("works with a server that is slow within the deadline, and times out beyond it", async () => {
    const server = await start();
    const proxy = await startTcpProxy(server.port);
    closing.push(() => proxy.close());
    const store = open(`redis://127.0.0.1:${proxy.port}`);
    const hasty = open(`redis://127.0.0.1:${proxy.port}`, { timeoutMs: 50 });
    await recovers(store);
    await recovers(hasty);
    proxy.delayMs = 200;
    expect(await outcome(store)).toBe("ok");
    expect(await outcome(hasty)).toBe("timeout");
  });

  test("sends a script again that the server has forgotten", async () => {
    const { url } = await start();
    const store = open(url);
    const one = aCharge({ limit: 10 });
    await store.charge([one]);
    const probe = new Redis(url);
    closing.push(async () => probe.disconnect());
    await probe.script("FLUSH");
    const answers = await Promise.all([store.charge([one]), store.charge([one])]);
    expect(answers.map(({ counters }) => counters[0]?.remaining)).toEqual([8, 7]);
  });

  test("is unavailable where something else answers, and where a counter is no counter", async () => {
    const strange = createServer((socket) => {
      socket.on("error", () => {});
      socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    const port = await freePort();
    await new Promise<void>((resolve) => strange.listen(port, "127.0.0.1", resolve));
    closing.push(async () => strange.close());
    const { url } = await start();
    const store = open(url);
    const probe = new Redis(url);
    closing.push(async () => probe.disconnect());
    await probe.lpush("list", "x");
    const add = async () =>
      store.add({
        group: "g",
        additions: [{ key: "list", hits: 1, ttlSeconds: 1, limit: 1 }],
        stopsWhenOver: false,
      });
    await expect(add()).rejects.toMatchObject({ fault: "unavailable" });
    expect(["unavailable", "timeout"]).toContain(await outcome(open(`redis://127.0.0.1:${port}`)));
  });

  test("says no password, whatever goes wrong", async () => {
    const server = await start({ args: ["--requirepass", "right-secret"] });
    const store = open(server.url.replace("//", "//somebody:wrong-secret@"));
    const texts: string[] = [];
    for (let i = 0; i < 3; i++) {
      await Promise.resolve(store.charge([aCharge()])).catch((error: Error) =>
        texts.push(String(error.stack), JSON.stringify(error)),
      );
      await sleep(50);
    }
    expect(texts.length).toBeGreaterThan(0);
    expect([...texts, ...store.lines].join("\n")).not.toMatch(/secret/);
    expect(store.lines.join("\n")).toContain("WRONGPASS");
  });
});
