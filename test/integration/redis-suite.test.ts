import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll } from "vitest";
import { createRedisStore } from "../../src/adapters/index.js";
import { describeCounterStore } from "../support/counter-store-suite.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";

let server: RedisServer | undefined;
beforeAll(async () => {
  if (!process.env["REDIS_URL"]) server = await startRedis();
});
afterAll(async () => {
  await server?.stop();
});

// A Redis of its own names groups in no key of the rate limit service: they are envoyproxy/ratelimit's.
describeCounterStore({
  name: "Redis",
  create: () => {
    const urls = [process.env["REDIS_URL"] || server?.url || ""];
    const store = createRedisStore({ urls, cluster: false, timeoutMs: 10_000 }, {});
    return { store, now: Date.now, pass: sleep };
  },
  cannot: ["nameGroups", "stopTime"],
});
