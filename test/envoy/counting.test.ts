import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Started, startCli } from "../support/cli.js";
import { startCountingEnvoy } from "../support/counting-envoy.js";
import { roomInDay } from "../support/day.js";
import type { Envoy } from "../support/envoy.js";
import { send } from "../support/http.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";
import { type ConfigFolder, makeConfigFolder } from "../support/server-fixture.js";
import { startUpstream, type Upstream } from "../support/upstream.js";

// Exact counts through a real Envoy: whatever the store, and however many processes ask it.

const LIMIT = 137;
const REQUESTS = 1000;
const CLIENTS = 4;
/** What each client has under way at one time. */
const LANES = 8;

const rateLimits = `domain: bookshop
descriptors:
  - key: route
    value: covers
    descriptors:
      - key: remote_address
        rate_limit: {unit: day, requests_per_unit: ${LIMIT}}
`;

const quota = (name: string, algorithm: string, more = ""): string => `
apiVersion: gatehouse.dev/v1alpha1
kind: Quota
metadata: {name: ${name}, namespace: bookshop}
spec:
  match: request.url_path == '/${name}'
  dimensions: [remote.ip]
  algorithm: ${algorithm}
  limit: ${LIMIT}
  window: 365d${more}
`;

/** Nobody gives back what a quota of this kind lent to a request in ext_authz, so it is full after as many. */
const quotas = [
  quota("fixed", "fixedWindow"),
  quota("sliding", "slidingWindow"),
  quota("bucket", "tokenBucket", `\n  burst: ${LIMIT}`),
  quota("concurrent", "concurrency"),
].join("---");

let folder: ConfigFolder;
beforeAll(() => {
  folder = makeConfigFolder();
  folder.write("quotas.yaml", quotas);
  folder.write("limits.yaml", rateLimits);
});
afterAll(() => folder?.remove());

describe.each([
  { where: "in memory", replicas: 1, workers: 1, isInRedis: false },
  { where: "in memory that two workers share", replicas: 1, workers: 2, isInRedis: false },
  { where: "in Redis", replicas: 1, workers: 1, isInRedis: true },
  { where: "in a Redis that three replicas share", replicas: 3, workers: 1, isInRedis: true },
])("counters $where", ({ replicas, workers, isInRedis }) => {
  const started: Started[] = [];
  const admins: string[] = [];
  let envoy: Envoy;
  let upstream: Upstream;
  let redis: RedisServer | undefined;

  beforeAll(async () => {
    await roomInDay(180_000);
    const addresses = ["--grpc-address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0"];
    const args = ["serve", "--config", folder.path, "--workers", String(workers), ...addresses];
    if (isInRedis) {
      redis = await startRedis();
      args.push("--redis-url", redis.url, "--redis-timeout", "20s");
    }
    for (let i = 0; i < replicas; i++) started.push(startCli(args));
    const listening = await Promise.all(started.map((one) => one.listening));
    admins.push(...listening.map(({ admin }) => admin));
    upstream = await startUpstream();
    envoy = await startCountingEnvoy({
      gatehouse: listening.map(({ grpc }) => Number(grpc.split(":").at(-1))),
      upstream: upstream.port,
    });
  }, 240_000);
  afterAll(async () => {
    await envoy?.stop();
    await upstream?.stop();
    for (const one of started) {
      one.process.kill("SIGTERM");
      await one.finished;
    }
    await redis?.stop();
  });

  /** How often each status came, and how often the upstream was reached. */
  async function flood(path: string): Promise<Record<string, number>> {
    const before = upstream.received.length;
    const counts: Record<string, number> = {};
    let sent = 0;
    const lane = async (): Promise<void> => {
      while (sent < REQUESTS) {
        sent++;
        const { status } = await send({ port: envoy.ports["http"] ?? 0, path, timeoutMs: 60_000 });
        counts[status] = (counts[status] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: CLIENTS * LANES }, lane));
    return { ...counts, reached: upstream.received.length - before };
  }

  const exact = { 200: LIMIT, 429: REQUESTS - LIMIT, reached: LIMIT };

  test("let exactly 137 of 1,000 requests of four clients pass by the rate limit service", async () => {
    expect(await flood("/covers/1.jpg")).toEqual(exact);
  });

  test.each(["fixed", "sliding", "bucket", "concurrent"])(
    "let exactly 137 of 1,000 requests of four clients pass by a quota: %s",
    async (name) => {
      expect(await flood(`/${name}`)).toEqual(exact);
    },
  );

  test("were asked by every replica", async () => {
    for (const admin of admins) {
      const metrics = await (await fetch(`http://${admin}/metrics`)).text();
      const calls = [...metrics.matchAll(/^gatehouse_ratelimit_calls_total\{.*\} (\d+)$/gm)];
      expect(calls.reduce((sum, [, count]) => sum + Number(count), 0)).toBeGreaterThan(0);
    }
  });
});
