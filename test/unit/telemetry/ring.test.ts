import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDecisionRing, type DecisionRecord, type JoinedRecord } from "../../../src/telemetry/index.js";
import { aDecision } from "../../support/served.js";

function record(id: number, allowed = true, policy: string | null = null): DecisionRecord {
  return { decision_id: String(id), allowed, policy } as DecisionRecord;
}

const ids = (records: readonly Pick<JoinedRecord, "decision_id">[]): number[] =>
  records.map((one) => Number(one.decision_id));

describe("the decision ring", () => {
  it("lists the newest first", () => {
    const ring = createDecisionRing(10);
    for (let i = 0; i < 3; i += 1) ring.push(record(i));
    expect(ids(ring.list({}))).toEqual([2, 1, 0]);
  });

  it("filters by outcome and policy, then limits", () => {
    const ring = createDecisionRing(10);
    ring.push(record(0, false, "shop/a"));
    ring.push(record(1, true, "shop/a"));
    ring.push(record(2, false, "shop/b"));
    ring.push(record(3, false, "shop/a"));
    expect(ids(ring.list({ denied: true, policy: "shop/a" }))).toEqual([3, 0]);
    expect(ids(ring.list({ denied: false }))).toEqual([1]);
    expect(ids(ring.list({ denied: true, limit: 2 }))).toEqual([3, 2]);
  });

  it.each([
    [{ outcome: "denied" }, ["b"]],
    [{ principal: "https://id/ann" }, ["a"]],
    [{ principal: "spiffe://c/ns/x/sa/y" }, ["b"]],
    [{ host: "SHOP.example" }, ["b", "a"]],
    [{ host: "shop.example:8080" }, ["b"]],
    [{ path: "/cart" }, ["b", "a"]],
    [{ path: "/cart/" }, ["b"]],
    [{ since: 2000 }, ["b"]],
    [{ decisionId: "a" }, ["a"]],
    [{ stage: "quota" }, ["b"]],
    [{ reason: "quota_exceeded" }, ["b"]],
    [{ quota: "shop/q" }, ["b"]],
    [{ quota: "shop/q", path: "/cart", denied: false }, []],
    [{ host: "shop.example", limit: 1 }, ["b"]],
    [{ after: 1 }, ["b"]],
    [{ after: 0, limit: 1 }, ["a"]],
    [{ after: 2 }, []],
    [{ after: 3_000_000 }, ["a", "b"]],
  ] as const)("finds what has all that is asked for: %o", (filter, expected) => {
    const ring = createDecisionRing(10);
    const ofAnn = { host: "shop.example", request_principal: "https://id/ann", time: 1999 };
    ring.push(aDecision({ ...ofAnn, decision_id: "a" }));
    ring.push(
      aDecision({
        decision_id: "b",
        allowed: false,
        time: 2000,
        host: "shop.example:8080",
        path: "/cart/1",
        source_principal: "spiffe://c/ns/x/sa/y",
        stage: "quota",
        reason: "quota_exceeded",
        quota: [{ quota: "shop/q", cost: 1, limit: 1, remaining: 0 }],
      }),
    );
    expect(ring.list(filter).map((one) => one.decision_id)).toEqual(expected);
  });

  it("finds no request that could not be read by host or path", () => {
    const ring = createDecisionRing(10);
    ring.push(aDecision({ host: null, path: null }));
    expect([...ring.list({ host: "a" }), ...ring.list({ path: "/" })]).toEqual([]);
  });

  it("holds the last ones, whatever was pushed, and hands out each new one once", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 0, max: 30 })),
        (capacity, bursts) => {
          const ring = createDecisionRing(capacity);
          let pushed = 0;
          for (const burst of bursts) {
            const before = pushed;
            for (let i = 0; i < burst; i += 1) ring.push(record(pushed++));
            const expected = range(Math.max(before, pushed - capacity), pushed);
            expect(ids(ring.takeNew())).toEqual(expected);
            expect(ids(ring.list({}))).toEqual(range(Math.max(0, pushed - capacity), pushed).reverse());
          }
        },
      ),
    );
  });
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
