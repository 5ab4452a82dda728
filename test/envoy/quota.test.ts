import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CountingStage, startCountingStage } from "../support/counting-stage.js";
import { roomInDay } from "../support/day.js";
import type { HttpCall } from "../support/http.js";
import { jwksOf, makeKey } from "../support/key-endpoint.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";

// Quotas in the authorization call of a real Envoy: what clients and the access log are told.

const issuer = "https://id.shop.example";
const key = makeKey("k");

const tokenOf = (sub: string): Promise<string> =>
  new SignJWT({ sub })
    .setProtectedHeader({ alg: "ES256", kid: key.kid })
    .setIssuer(issuer)
    .setExpirationTime("5m")
    .sign(key.privateKey);

const bearer = async (sub: string): Promise<Partial<HttpCall>> => ({
  headers: { authorization: `Bearer ${await tokenOf(sub)}` },
});

const as = (user: string): Partial<HttpCall> => ({ headers: { "x-user": user } });

/** A quota for one path, by the day so that nothing ends within a test. */
const quota = (name: string, spec: string): string => `
---
apiVersion: gatehouse.dev/v1alpha1
kind: Quota
metadata: {name: ${name}, namespace: bookshop}
spec: {match: "request.url_path.startsWith('/${name}')", window: 1d, ${spec}}`;

const meshWith = (quotaHeaders: string): string => `
apiVersion: gatehouse.dev/v1alpha1
kind: Mesh
metadata: {name: mesh}
spec: {quotaHeaders: ${quotaHeaders}}
`;

const notAdmin = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nothing-secret, namespace: bookshop}
spec:
  action: DENY
  rules: [{to: [{operation: {paths: ["*/secret"]}}]}]
`;

const tokens = `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: users, namespace: bookshop}
spec: {jwtRules: [{issuer: "${issuer}", jwks: '${jwksOf(key)}'}]}
`;

const byUser = `dimensions: {user: "request.headers['x-user']"}`;

describe("quotas in ext_authz", () => {
  let stage: CountingStage;

  beforeAll(async () => {
    await roomInDay(120_000);
    const response =
      '{status: 503, body: "slow down\\n", headers: {x-limited-by: quota, content-type: text/plain}}';
    stage = await startCountingStage({
      files: {
        "mesh.yaml": meshWith("rateLimit"),
        "tokens.yaml": tokens,
        "policy.yaml": notAdmin,
        "quotas.yaml": [
          quota("plain", `limit: 2, ${byUser}`),
          quota("own-words", `limit: 0, response: ${response}`),
          quota("claims", "limit: 2, dimensions: [request.auth.claims.sub]"),
          quota("both", `limit: 2, ${byUser}`),
          quota("both/all", "limit: 3, dimensions: []"),
          quota("free", `limit: 1, ${byUser}`),
          quota("guarded", `limit: 1, chargesRefused: true, ${byUser}`),
          quota("trial", `limit: 1, dryRun: true, ${byUser}`),
        ]
          .join("")
          .replaceAll("name: both/all", "name: both-all"),
      },
    });
  });
  afterAll(() => stage?.stop());

  test("tell what is left on what passes, and on a refusal when to come again", async () => {
    const first = await stage.ask("/plain", as("ann"));
    expect(first.status).toBe(200);
    expect(first.headers["ratelimit-policy"]).toBe('"plain";q=2;w=86400');
    expect(first.headers["ratelimit"]).toMatch(/^"plain";r=1;t=\d{1,5}$/);
    expect(first.headers["retry-after"]).toBeUndefined();
    expect((await stage.ask("/plain", as("ann"))).headers["ratelimit"]).toMatch(/^"plain";r=0;t=\d{1,5}$/);
    const refused = await stage.ask("/plain", as("ann"));
    expect(refused).toMatchObject({ status: 429, body: "" });
    expect(refused.headers["ratelimit-policy"]).toBe('"plain";q=2;w=86400');
    expect(refused.headers["ratelimit"]).toMatch(/^"plain";r=0;t=\d{1,5}$/);
    const [, left = ""] = /t=(\d+)/.exec(refused.headers["ratelimit"] as string) ?? [];
    expect(refused.headers["retry-after"]).toBe(left);
    expect((await stage.ask("/plain", as("bob"))).status).toBe(200);
  });

  test("what is refused never reaches the upstream", async () => {
    const before = stage.upstream.received.length;
    const found = await stage.statuses(6, "/plain/upstream", as("carl"));
    expect(found).toEqual([200, 200, 429, 429, 429, 429]);
    expect(stage.upstream.received.length - before).toBe(2);
  });

  test("the response of a quota is its own, and no header of the upstream is lost", async () => {
    const refused = await stage.ask("/own-words");
    expect(refused).toMatchObject({ status: 503, body: "slow down\n" });
    expect(refused.headers).toMatchObject({ "x-limited-by": "quota", "content-type": "text/plain" });
    expect((await stage.ask("/plain", as("dora"))).headers["content-type"]).toBe("application/json");
  });

  test("the access log has what each quota took", async () => {
    const passed = await stage.logged(await stage.ask("/plain", as("log")));
    expect(passed["decision"]).toMatchObject({
      allowed: true,
      quota: [{ quota: "bookshop/plain", cost: 1, limit: 2, remaining: 1 }],
    });
    await stage.ask("/plain", as("log"));
    const refused = await stage.logged(await stage.ask("/plain", as("log")));
    expect(refused).toMatchObject({ code: 429, details: "ext_authz_denied" });
    expect(refused["decision"]).toMatchObject({
      allowed: false,
      stage: "quota",
      reason: "quota_exceeded",
      policy: "bookshop/plain",
      quota: [{ quota: "bookshop/plain", cost: 1, limit: 2, remaining: 0 }],
    });
  });

  test("by a claim: each user has a counter, and all who are not logged in have one together", async () => {
    const [ann, bob] = [await bearer("ann"), await bearer("bob")];
    expect(await stage.statuses(3, "/claims", ann)).toEqual([200, 200, 429]);
    expect(await stage.statuses(3, "/claims", bob)).toEqual([200, 200, 429]);
    expect(await stage.statuses(1, "/claims", { localAddress: "127.0.0.2" })).toEqual([200]);
    expect(await stage.statuses(2, "/claims", { localAddress: "127.0.0.3" })).toEqual([200, 429]);
    const metrics = await (await fetch(`http://${stage.server.adminAddress}/metrics`)).text();
    expect(metrics).toMatch(
      /gatehouse_quota_expression_failures_total\{[^}]*quota="bookshop\/claims"[^}]*\} 3\n/,
    );
  });

  test("of several quotas one that refuses leaves the others untouched", async () => {
    expect(await stage.statuses(4, "/both/all", as("ann"))).toEqual([200, 200, 429, 429]);
    // Ann's refused requests took nothing of what all have together.
    const last = await stage.ask("/both/all", as("bob"));
    expect(last.status).toBe(200);
    expect(last.headers["ratelimit"]).toMatch(/^"both";r=1;t=\d+, "both-all";r=0;t=\d+$/);
    expect((await stage.ask("/both/all", as("bob"))).status).toBe(429);
  });

  test("what a policy refuses costs nothing, unless the quota wants it to", async () => {
    expect(await stage.statuses(2, "/free/secret", as("ann"))).toEqual([403, 403]);
    expect(await stage.statuses(2, "/free", as("ann"))).toEqual([200, 429]);
    expect(await stage.statuses(2, "/guarded/secret", as("ann"))).toEqual([403, 403]);
    expect(await stage.statuses(1, "/guarded", as("ann"))).toEqual([429]);
  });

  test("a quota on trial refuses nothing and says what it would", async () => {
    expect(await stage.statuses(1, "/trial", as("ann"))).toEqual([200]);
    const answer = await stage.ask("/trial", as("ann"));
    expect(answer.status).toBe(200);
    expect(answer.headers["ratelimit"]).toBeUndefined();
    expect((await stage.logged(answer))["decision"]).toMatchObject({
      dry_run: [{ action: "QUOTA", result: "denied", policy: "bookshop/trial" }],
    });
  });

  test("the older headers, or none, are one setting away, and an edit keeps the counters", async () => {
    await stage.ask("/plain", as("edit"));
    await stage.write("mesh.yaml", meshWith("xRateLimit"));
    const older = await stage.ask("/plain", as("edit"));
    expect(older.headers).toMatchObject({ "x-ratelimit-limit": "2", "x-ratelimit-remaining": "0" });
    expect(older.headers["x-ratelimit-reset"]).toMatch(/^\d{1,5}$/);
    expect(older.headers["ratelimit"]).toBeUndefined();
    await stage.write("mesh.yaml", meshWith("none"));
    const silent = await stage.ask("/plain", as("edit"));
    expect(silent.status).toBe(429);
    expect(Object.keys(silent.headers).filter((name) => name.includes("ratelimit"))).toEqual([]);
    expect(silent.headers["retry-after"]).toMatch(/^\d{1,5}$/);
  });
});

describe("quotas whose Redis goes away and comes back", () => {
  let redis: RedisServer;
  let stage: CountingStage;

  beforeAll(async () => {
    await roomInDay(120_000);
    redis = await startRedis();
    stage = await startCountingStage({
      files: {
        "quotas.yaml": [
          quota("denying", `limit: 100, onStoreFailure: deny`),
          quota("allowing", `limit: 1, onStoreFailure: allow`),
          quota("local", `limit: 10, onStoreFailure: local`),
        ].join(""),
      },
      options: { redis: { urls: [redis.url], cluster: false, timeoutMs: 2_000 } },
    });
  });
  afterAll(async () => {
    await stage?.stop();
    await redis?.stop();
  });

  test("are counted in it while it is there", async () => {
    expect(await stage.statuses(1, "/denying")).toEqual([200]);
    expect(await stage.statuses(1, "/allowing")).toEqual([200]);
    expect(await stage.statuses(2, "/local")).toEqual([200, 200]);
  });

  test("do without it what each says", async () => {
    await redis.kill();
    const denied = await stage.ask("/denying");
    expect(denied).toMatchObject({ status: 503, body: "" });
    expect(denied.headers["retry-after"]).toBeUndefined();
    expect((await stage.logged(denied))["decision"]).toMatchObject({
      allowed: false,
      reason: "quota_unavailable",
      policy: "bookshop/denying",
    });
    const allowed = await stage.ask("/allowing");
    expect(allowed.status).toBe(200);
    expect((await stage.logged(allowed))["decision"]).toMatchObject({ allowed: true, failed_open: true });
    // Half of the limit, which this process grants by itself.
    expect(await stage.statuses(7, "/local")).toEqual([200, 200, 200, 200, 200, 429, 429]);
    expect((await stage.ask("/elsewhere")).status).toBe(200);
  });

  test("are counted again when it is back, empty", async () => {
    redis = await startRedis({ port: redis.port });
    await expect.poll(async () => (await stage.ask("/denying")).status, { timeout: 20_000 }).toBe(200);
    expect(await stage.statuses(2, "/allowing")).toEqual([200, 429]);
    expect(await stage.statuses(11, "/local")).toEqual([...Array.from({ length: 10 }, () => 200), 429]);
  });
});
