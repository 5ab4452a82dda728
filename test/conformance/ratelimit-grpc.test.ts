import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { windowStart } from "../../src/ratelimit/windows.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";
import { disagreements } from "./ratelimit-agreement.js";
import { readRateLimitCorpus } from "./ratelimit-case.js";

/** Answers of the real envoyproxy/ratelimit, step by step through the gRPC port, on both stores. */
const corpus = readRateLimitCorpus(
  fileURLToPath(new URL("corpus/ratelimit/public.jsonl.gz", import.meta.url)),
);

/** What is laid beside the project holds the same cases and perhaps more. */
const beside = fileURLToPath(new URL("../../../shared/corpus/ratelimit/public.jsonl.gz", import.meta.url));

it("the corpus of the project is the one beside it, where there is one", () => {
  expect(corpus).toHaveLength(32);
  if (existsSync(beside)) expect(readRateLimitCorpus(beside)).toEqual(corpus);
});

describe("in memory, a call is answered as the peer did", () => {
  it.each(corpus)("$id", async (one) => {
    expect(await disagreements(one, { sharedKeys: false })).toEqual([]);
  });
});

describe("in Redis, a call is answered as the peer did", () => {
  let redis: RedisServer;
  let client: Redis;
  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
  }, 120_000);
  afterAll(async () => {
    client?.disconnect();
    await redis?.stop();
  });

  it.each(corpus)("$id", async (one) => {
    await client.flushall();
    const sharedKeys = true;
    expect(await disagreements(one, { sharedKeys, redisUrl: redis.url })).toEqual([]);
    const counters = await Promise.all(
      one.redis_after.map(async ({ key, unit }) => {
        const start = windowStart(unit, one.clock_unix);
        // The peer makes a counter of 0 where it only looks.
        const value = (await client.get(key.replace("{WINDOW}", String(start)))) ?? "0";
        return { key, unit, value };
      }),
    );
    expect(counters).toEqual(one.redis_after);
  });
});
