import { readFileSync } from "node:fs";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { defaultRateLimitSettings } from "../../src/ratelimit/index.js";
import {
  type CountingStage,
  type CountingStageOptions,
  startCountingStage,
} from "../support/counting-stage.js";
import { roomInDay } from "../support/day.js";
import { startHeldUpstream } from "../support/held-upstream.js";
import type { HttpAnswer } from "../support/http.js";
import { startRedis } from "../support/redis-server.js";

// Envoy's rate limit filter with Gatehouse as its service, by the routes of envoy/ratelimit.yaml or by others.

const limits = (covers: number, exportBytes = 1000): string => `domain: bookshop
descriptors:
  - key: route
    value: covers
    descriptors:
      - key: remote_address
        rate_limit: {name: covers-per-client, unit: day, requests_per_unit: ${covers}}
  - key: partner
    rate_limit: {name: export-bytes, unit: day, requests_per_unit: ${exportBytes}}
`;

const undo: (() => Promise<void>)[] = [];
beforeAll(() => roomInDay(180_000));
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function arrange(options: CountingStageOptions): Promise<CountingStage> {
  const stage = await startCountingStage(options);
  undo.push(stage.stop);
  return stage;
}

const cover = "/covers/1.jpg";

describe("a limit of a config file", () => {
  test("tells what is left, and refuses with 429 what is over it", async () => {
    const stage = await arrange({ files: { "limits.yaml": limits(2) } });
    const first = await stage.ask(cover);
    expect(first.status).toBe(200);
    expect(first.headers).toMatchObject({
      "x-ratelimit-limit": '2, 2;w=86400;name="covers-per-client"',
      "x-ratelimit-remaining": "1",
    });
    expect(first.headers["x-ratelimit-reset"]).toMatch(/^[1-9]\d{0,4}$/);
    expect(first.headers["x-envoy-ratelimited"]).toBeUndefined();
    await stage.ask(cover);
    const refused = await stage.ask(cover);
    expect(refused).toMatchObject({ status: 429, body: "" });
    expect(refused.headers).toMatchObject({
      "x-envoy-ratelimited": "true",
      "x-ratelimit-limit": '2, 2;w=86400;name="covers-per-client"',
      "x-ratelimit-remaining": "0",
    });
    expect(await stage.logged(refused)).toMatchObject({
      details: "request_rate_limited",
      decision: { allowed: true },
    });
    expect(stage.upstream.received).toHaveLength(2);
    expect((await stage.ask("/books")).headers["x-ratelimit-limit"]).toBeUndefined();
  });

  // Only Linux answers on all of 127.0.0.0/8 without being told.
  test.runIf(process.platform === "linux")("counts each address for itself", async () => {
    const stage = await arrange({ files: { "limits.yaml": limits(1) } });
    expect(await stage.statuses(2, cover, { localAddress: "127.0.0.2" })).toEqual([200, 429]);
    expect(await stage.statuses(2, cover, { localAddress: "127.0.0.3" })).toEqual([200, 429]);
  });

  test("is not touched by what a policy refuses before", async () => {
    const policy = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: read-only, namespace: bookshop}
spec: {action: DENY, rules: [{to: [{operation: {notMethods: [GET]}}]}]}
`;
    const stage = await arrange({ files: { "limits.yaml": limits(1), "policy.yaml": policy } });
    expect(await stage.statuses(3, cover, { method: "DELETE" })).toEqual([403, 403, 403]);
    expect(await stage.statuses(2, cover)).toEqual([200, 429]);
  });

  test("of another value after an edit keeps what was counted", async () => {
    const stage = await arrange({ files: { "limits.yaml": limits(2) } });
    expect(await stage.statuses(3, cover)).toEqual([200, 200, 429]);
    await stage.write("limits.yaml", limits(5));
    // The refused one was counted too, as envoyproxy/ratelimit does.
    expect(await stage.statuses(3, cover)).toEqual([200, 200, 429]);
  });

  test("is not there for another domain", async () => {
    const stage = await arrange({
      files: { "limits.yaml": limits(0) },
      routes: [{ prefix: "/", domain: "nobody", rateLimits: [{ actions: [{ remote_address: {} }] }] }],
    });
    expect(await stage.statuses(2, cover)).toEqual([200, 200]);
  });

  test("adds the service's own headers with LIMIT_RESPONSE_HEADERS_ENABLED", async () => {
    const headers = { limit: "RateLimit-Limit", remaining: "RateLimit-Remaining", reset: "RateLimit-Reset" };
    const stage = await arrange({
      files: { "limits.yaml": limits(1) },
      options: { rateLimit: { ...defaultRateLimitSettings, headers } },
    });
    const [passed, refused] = [await stage.ask(cover), await stage.ask(cover)];
    expect(passed.headers).toMatchObject({ "ratelimit-limit": "1", "ratelimit-remaining": "0" });
    expect(refused.status).toBe(429);
    expect(refused.headers).toMatchObject({ "ratelimit-limit": "1", "ratelimit-remaining": "0" });
    expect(refused.headers["ratelimit-reset"]).toMatch(/^[1-9]\d{0,4}$/);
  });
});

describe("a Redis that is gone", () => {
  test.each([
    {
      words: "with failure_mode_deny a request that cannot be counted ends in 500",
      failsOpen: false,
      status: 500,
    },
    { words: "without failure_mode_deny it passes", failsOpen: true, status: 200 },
  ])("$words", async ({ failsOpen, status }) => {
    const redis = await startRedis();
    undo.push(redis.stop);
    const stage = await arrange({
      files: { "limits.yaml": limits(1) },
      failsOpen,
      options: { redis: { urls: [redis.url], cluster: false, timeoutMs: 2_000 } },
    });
    expect(await stage.statuses(2, cover)).toEqual([200, 429]);
    await redis.kill();
    const answer = await stage.ask(cover);
    expect(answer.status).toBe(status);
    expect(answer.headers["x-envoy-ratelimited"]).toBeUndefined();
    const details = status === 500 ? "rate_limiter_error" : "via_upstream";
    expect(await stage.logged(answer)).toMatchObject({ details });
    // What has no limit needs no counter.
    expect((await stage.ask("/books")).status).toBe(200);
  });
});

describe("what a response costs", () => {
  test("is counted when it is over: the one that crosses the limit is served, those after it are not", async () => {
    const stage = await arrange({ files: { "limits.yaml": limits(9, 200) } });
    const first = await stage.ask("/exports/stock.csv");
    expect(first.status).toBe(200);
    // Nothing had been counted when this was written.
    expect(first.headers["x-ratelimit-remaining"]).toBe("200");
    expect(Buffer.byteLength(first.body)).toBeGreaterThan(200);
    await expect.poll(async () => (await stage.ask("/exports/stock.csv")).status).toBe(429);
    const refused = await stage.ask("/exports/stock.csv");
    expect(refused.headers["x-ratelimit-limit"]).toBe('200, 200;w=86400;name="export-bytes"');
  });
});

describe("a Quota that is reached through the rate limit service", () => {
  const shared = `apiVersion: gatehouse.dev/v1alpha1
kind: Quota
metadata: {name: pages, namespace: bookshop}
spec:
  match: request.url_path == '/by-check'
  dimensions: {client: remote.ip}
  limit: 4
  window: 1d
  rateLimitService:
    domain: pages
    descriptor: [{key: remote_address, dimension: client}]
`;
  const routes = [
    { prefix: "/by-filter", domain: "pages", rateLimits: [{ actions: [{ remote_address: {} }] }] },
  ];

  test("has one counter, whichever of the two filters asks", async () => {
    const stage = await arrange({ files: { "quota.yaml": shared }, routes });
    const seen: (string | undefined)[] = [];
    for (const path of ["/by-check", "/by-filter", "/by-check", "/by-filter"]) {
      const { status, headers } = await stage.ask(path);
      expect(status).toBe(200);
      seen.push(/r=(\d)/.exec(String(headers["ratelimit"]))?.[1] ?? String(headers["x-ratelimit-remaining"]));
    }
    expect(seen).toEqual(["3", "2", "1", "0"]);
    expect(await stage.statuses(1, "/by-check")).toEqual([429]);
    const refused = await stage.ask("/by-filter");
    expect(refused.status).toBe(429);
    expect(refused.headers["x-ratelimit-limit"]).toBe('4, 4;w=86400;name="bookshop/pages"');
  });

  test.each(["concurrency", "fixedWindow"])(
    "lends as many as its limit to requests under way, and takes them back when the responses are over: %s",
    async (algorithm) => {
      const upstream = await startHeldUpstream();
      // The routes of the file itself, and the demo's quota.
      const quota = `apiVersion: gatehouse.dev/v1alpha1
kind: Quota
metadata: {name: drawing, namespace: bookshop}
spec:
  match: "false"
  dimensions: {client: remote.ip}
  algorithm: ${algorithm}
  limit: 4
  window: 1d
  rateLimitService:
    domain: bookshop-running
    descriptor: [{key: remote_address, dimension: client}]
`;
      const stage = await arrange({ files: { "quota.yaml": quota }, upstream });
      const draw = (): Promise<HttpAnswer> => stage.ask("/covers/drawn/1.svg", { timeoutMs: 60_000 });
      const left = async (): Promise<unknown> => {
        const question = "quota=bookshop/drawing&dimension=client=127.0.0.1";
        const answer = await fetch(`http://${stage.server.adminAddress}/quota?${question}`);
        return ((await answer.json()) as { remaining?: unknown }).remaining;
      };
      for (let turn = 0; turn < 3; turn++) {
        const underWay = Array.from({ length: 10 }, draw);
        const refused: number[] = [];
        for (const answer of underWay) {
          void answer.then(({ status }) => status === 429 && refused.push(status));
        }
        await expect.poll(() => [upstream.waiting, refused.length], { timeout: 10_000 }).toEqual([4, 6]);
        // The streams of those that were refused are over too, and had taken nothing.
        expect([(await draw()).status, await left()]).toEqual([429, 0]);
        upstream.release(4);
        const answers = await Promise.all(underWay);
        expect(answers.filter(({ status }) => status === 200)).toHaveLength(4);
        await expect.poll(left, { timeout: 10_000 }).toBe(4);
      }
      expect(upstream.most).toBe(4);
    },
  );

  test("takes back what a client held that went away", async () => {
    const upstream = await startHeldUpstream();
    const demo = readFileSync(new URL("../../policies/demo/quotas.yaml", import.meta.url), "utf8");
    const stage = await arrange({ files: { "quotas.yaml": demo }, upstream });
    const draw = (timeoutMs: number): Promise<HttpAnswer> => stage.ask("/covers/drawn/1.svg", { timeoutMs });
    const gone = [draw(1_000), draw(1_000)].map((answer) => expect(answer).rejects.toThrow("no answer"));
    await expect.poll(() => upstream.waiting).toBe(2);
    expect((await draw(30_000)).status).toBe(429);
    await Promise.all(gone);
    await expect.poll(() => upstream.waiting).toBe(0);
    const next = draw(30_000);
    await expect.poll(() => upstream.waiting).toBe(1);
    upstream.release(1);
    expect((await next).status).toBe(200);
  });
});
