import { describe, expect, it } from "vitest";
import type { Attributes } from "../../../src/attributes/index.js";
import { type Decision, noQuota } from "../../../src/engine/index.js";
import { recordOf } from "../../../src/telemetry/index.js";
import { keptBytes } from "../../support/cost.js";

const decision = {
  decisionId: "d-1",
  allowed: false,
  code: 7,
  httpStatus: 403,
  stage: "authorize",
  reason: "denied_by_policy",
  rule: { key: "ns[shop]-policy[deny]-rule[2]", policy: "shop/deny", rule: 2 },
  dryRun: [],
  quota: noQuota,
  failedOpen: false,
  generation: 4,
} as unknown as Decision;

function attributes(urlPath: string): Attributes {
  return {
    protocol: "http",
    source: { ip: { text: "10.0.0.1" }, port: 1, principal: "spiffe://cluster.local/ns/a/sa/b" },
    request: {
      method: "GET",
      host: "shop.example",
      path: `${urlPath}?token=secret`,
      urlPath,
      headers: new Map([
        ["authorization", ["Bearer secret"]],
        ["cookie", ["secret"]],
      ]),
    },
  } as unknown as Attributes;
}

const record = (urlPath: string): ReturnType<typeof recordOf> =>
  recordOf({
    decision: {
      ...decision,
      workload: { namespace: "shop", name: "cart", type: "sidecar", labels: new Map(), services: [] },
    },
    attributes: attributes(urlPath),
    now: 5,
    durationMs: 0.25,
  });

describe("a decision record", () => {
  it("says what quotas took", () => {
    const counter = { allowed: true, remaining: 3, resetMs: 1, retryMs: 0 };
    const facts = [{ quota: "shop/q", limit: 5, windowMs: 60_000, cost: 2, counter }];
    const quota = { facts, headers: [] };
    expect(
      recordOf({ decision: { ...decision, quota }, attributes: undefined, now: 5, durationMs: 1 }).quota,
    ).toEqual([{ quota: "shop/q", cost: 2, limit: 5, remaining: 3 }]);
  });

  it("says who asked for what, which policy and rule answered, and why", () => {
    expect(record("/cart")).toEqual({
      time: 5,
      decision_id: "d-1",
      allowed: false,
      code: 7,
      stage: "authorize",
      policy: "shop/deny",
      rule: 2,
      reason: "denied_by_policy",
      dry_run: [],
      quota: [],
      failed_open: false,
      snapshot: 4,
      duration_ms: 0.25,
      protocol: "http",
      method: "GET",
      host: "shop.example",
      path: "/cart",
      source_ip: "10.0.0.1",
      source_principal: "spiffe://cluster.local/ns/a/sa/b",
      request_principal: null,
      authn_method: null,
      authn_refused: [],
      destination_namespace: "shop",
      destination_workload: "cart",
    });
  });

  it("holds no query, header or cookie", () => {
    expect(JSON.stringify(record("/cart"))).not.toContain("secret");
  });

  it("says who the caller is, how that is known, and what was refused", () => {
    const refused = [{ method: "jwt", issuer: "https://b", reason: "jwt_expired" }] as const;
    const authn = { method: "api_key", issuer: "shop/keys", principal: "grüße/ann", refused } as const;
    const observed = { decision: { ...decision, authn }, attributes: undefined, now: 5, durationMs: 0 };
    expect(recordOf(observed)).toMatchObject({
      request_principal: "grüße/ann",
      authn_method: "api_key",
      authn_refused: refused,
    });
    const long = { ...authn, principal: `a/${"x".repeat(100_000)}` };
    const cut = recordOf({ ...observed, decision: { ...decision, authn: long } });
    expect(cut.request_principal).toHaveLength(1024);
  });

  it("cuts long texts", () => {
    expect(record(`/${"x".repeat(100_000)}`).path).toHaveLength(1024);
  });

  it("keeps nothing alive of the query behind its path", async () => {
    const requests = 200;
    const query = 50_000;
    const bytes = await keptBytes(() =>
      Array.from({ length: requests }, (_, i) => {
        const path = `/a/path/of/ordinary/length/${i}?token=${"x".repeat(query - 1)}${i}`;
        const parsed = Buffer.from(path).toString("latin1");
        return record(parsed.slice(0, parsed.indexOf("?"))).path;
      }),
    );
    expect(bytes).toBeLessThan((requests * query) / 2);
  });

  it("shows UTF-8 as text", () => {
    expect(record(Buffer.from("/grüße").toString("latin1")).path).toBe("/grüße");
  });

  it("can be made when the request could not be read", () => {
    const unread = recordOf({ decision, attributes: undefined, now: 5, durationMs: 0 });
    expect(unread).toMatchObject({ decision_id: "d-1", path: null, source_ip: null, protocol: null });
  });
});
