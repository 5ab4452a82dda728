import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDecisionRing, type DecisionRecord } from "../../../src/telemetry/index.js";

function record(id: number, allowed = true, policy: string | null = null): DecisionRecord {
  return { decision_id: String(id), allowed, policy } as DecisionRecord;
}

const ids = (records: readonly DecisionRecord[]): number[] => records.map((one) => Number(one.decision_id));

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
