import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Charge, StoreError } from "../../src/quota/index.js";
import { type HttpAnswer, send } from "../support/http.js";
import { type QuotaAdmin, startQuotaAdmin } from "../support/quota-admin.js";

let admin: QuotaAdmin;
beforeEach(async () => {
  admin = await startQuotaAdmin();
});
afterEach(() => admin.close());

const host = { host: "localhost" };
const page = (query: Record<string, string | string[]>, path = "/quota"): string => {
  const all = Object.entries(query).flatMap(([key, values]) =>
    [values].flat().map((value): [string, string] => [key, value]),
  );
  return `${path}?${new URLSearchParams(all)}`;
};
const get = (query: Record<string, string | string[]>): Promise<HttpAnswer> =>
  send({ port: admin.port, path: page(query), headers: host });
const show = async (query: Record<string, string | string[]>): Promise<Record<string, unknown>> =>
  JSON.parse((await get(query)).body) as Record<string, unknown>;
const reset = (
  query: Record<string, string | string[]>,
  headers = {},
  method = "POST",
): Promise<HttpAnswer> =>
  send({ port: admin.port, path: page(query, "/quota/reset"), headers: { ...host, ...headers }, method });

const perClient = (client: string): Record<string, string | string[]> => ({
  quota: "shop/per-client",
  dimension: [`client=${client}`, "request.method == 'GET'=true"],
});

/** Takes units of a counter of which the page has just said the key. */
async function charge(query: Record<string, string | string[]>, parts: Partial<Charge>): Promise<void> {
  const { key } = await show(query);
  await admin.store.charge([
    {
      key: String(key),
      group: "shop",
      algorithm: "fixedWindow",
      limit: 3,
      windowMs: 60_000,
      burst: 3,
      cost: 1,
      isTrial: false,
      id: undefined,
      ...parts,
    },
  ]);
}

describe("the page of a quota's counter", () => {
  it("says how it stands, and changes nothing", async () => {
    await charge(perClient("alice"), { cost: 3 });
    for (let i = 0; i < 2; i++) {
      const { key, ...rest } = await show(perClient("alice"));
      expect(key).toContain("alice");
      expect(rest).toEqual({
        quota: "shop/per-client",
        general: false,
        dry_run: false,
        algorithm: "fixedWindow",
        limit: 3,
        window_seconds: 60,
        remaining: 0,
        allowed: false,
        reset_seconds: 40,
        retry_after_seconds: 40,
      });
    }
    expect(await show(perClient("bob"))).toMatchObject({ remaining: 3, allowed: true });
  });

  it("has the allowance of the override that matches", async () => {
    expect(await show(perClient("gold"))).toMatchObject({ limit: 10, remaining: 10 });
    expect(await show(perClient("us"))).toEqual({ quota: "shop/per-client", unlimited: true, allowed: true });
  });

  it("is that of the most general key when no dimension is named, and says so", async () => {
    expect(await show({ quota: "shop/per-client" })).toMatchObject({ general: true, limit: 3 });
    expect(await show({ quota: "shop/all" })).toMatchObject({ general: false, burst: 20, dry_run: true });
  });

  it("shows a long value by its hash", async () => {
    const { key } = await show(perClient("x".repeat(1000)));
    expect(String(key)).not.toContain("xxx");
  });

  it("is that of the whole value, also where a question mark stands in it as it is", async () => {
    const path = page(perClient("a?b")).replace("%3F", "?");
    expect(path).toContain("a?b");
    const { body } = await send({ port: admin.port, path, headers: host });
    expect(JSON.parse(body)).toEqual(await show(perClient("a?b")));
  });

  it("is reached by a descriptor of the domain that the quota is mapped to", async () => {
    const descriptor = { domain: "users", descriptor: "user_id=alice" };
    const dimension = { quota: "shop/mapped", dimension: "user=alice" };
    expect(await show(descriptor)).toEqual(await show(dimension));
    expect((await get({ domain: "users", descriptor: "user=alice" })).status).toBe(404);
  });

  it.each([
    [{ quota: "shop/per-client", dimension: "client=alice" }, /no value for dimension/],
    [{ quota: "shop/per-client", dimension: ["colour=red"] }, /no dimension `colour`/],
    [{ quota: "shop/per-client", dimension: ["client"] }, /expected NAME=VALUE/],
    [{ quota: "shop/all", dimension: ["client=a"] }, /no dimension `client`/],
    [{ quota: "shop/per-client", dimension: ["client=a", "client=b"] }, /given twice/],
    [{ quota: ["shop/all", "shop/all"] }, /more than one counter/],
    [{ quota: "shop/all", domain: "edge" }, /no counter is named/],
    [{ quota: "shop/all", descriptor: "a=b" }, /no counter is named/],
    [{ domain: "edge" }, /no counter is named/],
    [{ domain: "edge", descriptor: "a=b", dimension: "a=b" }, /no counter is named/],
    [{}, /no counter is named/],
    [{ quota: "shop/all", what: "ever" }, /unknown parameter `what`/],
  ])("refuses %j", async (query, why) => {
    const { status, body } = await get(query as Record<string, string | string[]>);
    expect(status).toBe(400);
    expect(body).toMatch(why);
  });

  it.each(["shop/none", "all", "", "shop/all/x", "__proto__"])("knows no quota `%s`", async (quota) => {
    expect((await get({ quota })).status).toBe(404);
    expect((await reset({ quota })).status).toBe(404);
  });

  it("is 503 while the store cannot be asked", async () => {
    admin.fault = new StoreError("timeout", "too slow");
    for (const answer of [await get(perClient("a")), await reset(perClient("a"))]) {
      expect(answer).toMatchObject({ status: 503, body: "the counters cannot be reached: too slow\n" });
    }
  });
});

describe("the page of a rate limit's counter", () => {
  const alice = { domain: "edge", descriptor: "client=alice" };
  const add = async (query: Record<string, string | string[]>, hits: number): Promise<void> => {
    const { key } = await show(query);
    const additions = [{ key: String(key), hits, ttlSeconds: 3600, limit: 5 }];
    await admin.store.add({ group: "edge", additions, stopsWhenOver: false });
  };

  it("says how it stands", async () => {
    await add(alice, 4);
    expect(await show(alice)).toEqual({
      domain: "edge",
      key: "edge_client_alice_1699999200",
      name: "per-client",
      shadow_mode: false,
      limit: 5,
      unit: "HOUR",
      used: 4,
      remaining: 1,
      allowed: true,
      reset_seconds: 2800,
    });
    await add(alice, 3);
    expect(await show(alice)).toMatchObject({ used: 7, remaining: 0, allowed: false });
  });

  it("takes the entries of a descriptor in order, and a key alone as one without a value", async () => {
    const query = { domain: "edge", descriptor: ["tenant", "user_id=a=b"] };
    expect(await show(query)).toMatchObject({ unit: "MINUTE", shadow_mode: true, name: null });
    expect((await get({ domain: "edge", descriptor: ["user_id=a=b", "tenant"] })).status).toBe(404);
  });

  it("says that nothing is limited, or that nothing is known", async () => {
    const free = { domain: "edge", descriptor: "path=/free" };
    expect(await show(free)).toEqual({ domain: "edge", unlimited: true, allowed: true });
    expect(await get({ domain: "edge", descriptor: "other" })).toMatchObject({ status: 404 });
    expect(await get({ domain: "nowhere", descriptor: "client=a" })).toMatchObject({
      status: 404,
      body: "there is no domain `nowhere`\n",
    });
  });

  it("forgets a counter, and only that one", async () => {
    await add(alice, 5);
    await add({ domain: "edge", descriptor: "client=bob" }, 2);
    const answer = await reset(alice);
    expect(JSON.parse(answer.body)).toEqual({
      domain: "edge",
      keys: ["edge_client_alice_1699999200"],
      counters_reset: 1,
    });
    expect(await show(alice)).toMatchObject({ used: 0 });
    expect(await show({ domain: "edge", descriptor: "client=bob" })).toMatchObject({ used: 2 });
  });
});

describe("resetting a quota's counter", () => {
  it("gives all of it back, to that key alone", async () => {
    await charge(perClient("alice"), { cost: 3 });
    await charge(perClient("bob"), { cost: 2 });
    expect(JSON.parse((await reset(perClient("alice"))).body)).toMatchObject({ counters_reset: 1 });
    expect(await show(perClient("alice"))).toMatchObject({ remaining: 3, allowed: true });
    expect(await show(perClient("bob"))).toMatchObject({ remaining: 1 });
    expect(JSON.parse((await reset(perClient("alice"))).body)).toMatchObject({ counters_reset: 0 });
  });

  it("has nothing to do where an override lifts the limit", async () => {
    expect(JSON.parse((await reset(perClient("us"))).body)).toMatchObject({ unlimited: true });
  });

  it.each(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])("is not done by %s", async (method) => {
    await charge(perClient("alice"), { cost: 3 });
    expect((await reset(perClient("alice"), {}, method)).status).toBe(405);
    expect(await show(perClient("alice"))).toMatchObject({ remaining: 0 });
  });

  it.each([
    { origin: "https://evil.example.com" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
    { host: "evil.example.com" },
  ])("is refused with %j", async (headers) => {
    await charge(perClient("alice"), { cost: 3 });
    expect((await reset(perClient("alice"), headers)).status).toBe(403);
    expect(await show(perClient("alice"))).toMatchObject({ remaining: 0 });
  });

  it("is the only thing that is done by POST", async () => {
    for (const path of ["/quota?quota=shop/all", "/config", "/quota/reset/", "/nothing"]) {
      expect((await send({ port: admin.port, path, method: "POST", headers: host })).status).toBe(405);
    }
  });
});
