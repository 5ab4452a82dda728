import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterEach, describe, expect, it } from "vitest";
import { createRedisStore } from "../../src/adapters/index.js";
import {
  type CompiledQuota,
  createLedger,
  createMemoryStore,
  createQuotaStage,
  type QuotaOutcome,
  type QuotaStage,
} from "../../src/quota/index.js";
import { freePort } from "../support/ports.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";
import { startTcpProxy } from "../support/tcp-proxy.js";
import { asked, compiled } from "../unit/quota/quota-kit.js";

/** What each `onStoreFailure` answers in each way in which Redis can fail: a real server, the real stage. */
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const TIMEOUT_MS = 300;

async function redis(args: readonly string[] = []): Promise<RedisServer> {
  const server = await startRedis({ args });
  closing.push(() => server.stop());
  return server;
}

async function probe(server: RedisServer): Promise<Redis> {
  const client = new Redis(server.url);
  closing.push(() => client.disconnect());
  return client;
}

interface Scene {
  /** Of limit 10 for a user, each with one way to fail; `local` may grant half of it. */
  readonly stages: Readonly<Record<"allow" | "deny" | "local", QuotaStage>>;
  /** What the observer was told since the last look. */
  readonly told: () => string[];
}

function scene(url: string, timeoutMs: number = TIMEOUT_MS): Scene {
  const store = createRedisStore({ urls: [url], cluster: false, timeoutMs }, {});
  const told: string[] = [];
  const observer = {
    charged: () => {},
    expressionFailed: () => {},
    storeFailed: (quota: string, outcome: string) => void told.push(`${quota} ${outcome}`),
  };
  const ledger = createLedger({ store, local: createMemoryStore({ now: Date.now }), observer });
  closing.push(() => store.close());
  const stage = (onStoreFailure: string): QuotaStage => {
    const spec = { limit: 10, window: "24h", dimensions: ["request.headers['user']"], onStoreFailure };
    const quota: CompiledQuota = compiled({ ...spec }, onStoreFailure);
    return createQuotaStage([quota], { ledger, headers: "none", observer });
  };
  return {
    stages: { allow: stage("allow"), deny: stage("deny"), local: stage("local") },
    told: () => [...new Set(told.splice(0))].sort(),
  };
}

const charge = async (stage: QuotaStage, user = "ann"): Promise<QuotaOutcome> =>
  stage.charge(asked({ user }));

/** What seven requests of one user come to: how many pass, by what, and how the others are refused. */
async function seven(stage: QuotaStage): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (let i = 0; i < 7; i++) {
    const { refused, failedOpen } = await charge(stage, "bob");
    const what =
      refused === undefined
        ? failedOpen
          ? "failed open"
          : "counted"
        : `${refused.reason} ${refused.status}`;
    seen[what] = (seen[what] ?? 0) + 1;
  }
  return seen;
}

/** While nobody can count: open, closed, or half of the limit in this process. */
async function expectFailure({ stages, told }: Scene): Promise<void> {
  told();
  expect(await seven(stages.allow)).toEqual({ "failed open": 7 });
  expect(await seven(stages.deny)).toEqual({ "store_failed 503": 7 });
  expect(await seven(stages.local)).toEqual({ counted: 5, "over_limit 429": 2 });
  expect(told()).toEqual(["shop/allow allowed", "shop/deny denied", "shop/local local"]);
}

async function expectService({ stages }: Scene): Promise<void> {
  for (const stage of Object.values(stages)) {
    for (let i = 0; i < 300; i++) {
      const { refused, facts, failedOpen } = await charge(stage, "zoe");
      if (refused === undefined && !failedOpen && facts.length === 1) break;
      if (i === 299) throw new Error("quotas are not counted in Redis again");
      await sleep(50);
    }
  }
}

describe("quotas whose Redis", () => {
  it("is refused", async () => {
    await expectFailure(scene(`redis://127.0.0.1:${await freePort()}`));
  });

  it("hangs, and answers again", { timeout: 60_000 }, async () => {
    const server = await redis();
    const found = scene(server.url);
    await expectService(found);
    server.pause();
    await expectFailure(found);
    server.resume();
    await expectService(found);
  });

  it("is killed in the midst of requests, and comes back empty", { timeout: 60_000 }, async () => {
    const server = await redis();
    const found = scene(server.url);
    for (let i = 0; i < 10; i++) expect((await charge(found.stages.deny)).refused).toBeUndefined();
    expect((await charge(found.stages.deny)).refused?.reason).toBe("over_limit");
    const underWay = Promise.all(Array.from({ length: 50 }, () => charge(found.stages.deny, "eve")));
    await server.kill();
    for (const { refused } of await underWay) {
      expect([undefined, "over_limit", "store_failed"]).toContain(refused?.reason);
    }
    await expectFailure(found);
    const again = await startRedis({ port: server.port });
    closing.push(() => again.stop());
    await expectService(found);
    // Longer than a refusal is remembered here. What was counted is gone: a new allowance, and no more than one.
    await sleep(1_200);
    let passed = 0;
    for (let i = 0; i < 12; i++) if ((await charge(found.stages.deny)).refused === undefined) passed += 1;
    expect(passed).toBe(10);
  });

  it("only reads", async () => {
    const primary = await redis();
    const server = await redis(["--replicaof", "127.0.0.1", String(primary.port)]);
    await expectFailure(scene(server.url));
  });

  it("is out of memory", async () => {
    const server = await redis(["--maxmemory-policy", "noeviction"]);
    const client = await probe(server);
    const found = scene(server.url);
    await expectService(found);
    await client.config("SET", "maxmemory", "1");
    await expectFailure(found);
    await client.config("SET", "maxmemory", "0");
    await expectService(found);
  });

  it("is slower by 200 ms than its deadline has room for", async () => {
    const server = await redis();
    const proxy = await startTcpProxy(server.port, { delayMs: 200 });
    closing.push(() => proxy.close());
    await expectFailure(scene(`redis://127.0.0.1:${proxy.port}`, 50));
  });

  it("is slower by 200 ms within its deadline", async () => {
    const server = await redis();
    const proxy = await startTcpProxy(server.port, { delayMs: 200 });
    closing.push(() => proxy.close());
    await expectService(scene(`redis://127.0.0.1:${proxy.port}`, 5_000));
  });

  it("forgot its scripts", async () => {
    const server = await redis();
    const client = await probe(server);
    const { stages, told } = scene(server.url, 5_000);
    for (const stage of Object.values(stages)) {
      expect((await charge(stage)).facts).toHaveLength(1);
      await client.script("FLUSH");
      const [fact] = (await charge(stage)).facts;
      expect(fact?.counter.remaining).toBe(8);
    }
    expect(told()).toEqual([]);
  });
});
