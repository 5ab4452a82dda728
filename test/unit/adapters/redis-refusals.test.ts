import { describe, expect, test } from "vitest";
import { createRefusals, type Refusals } from "../../../src/adapters/redis-refusals.js";
import type { Charge, ChargeResult, CounterState } from "../../../src/quota/index.js";
import { aCharge } from "../../support/counter-store-subject.js";

const passes: CounterState = { allowed: true, remaining: 3, resetMs: 400, retryMs: 0 };
const refuses: CounterState = { allowed: false, remaining: 0, resetMs: 5_000, retryMs: 5_000 };

function aResult(...counters: readonly CounterState[]): ChargeResult {
  return { allowed: counters.every(({ allowed }) => allowed), counters, atMs: 1_000_000 };
}

function atTime(): { refusals: Refusals; pass: (ms: number) => void } {
  let now = 0;
  return {
    refusals: createRefusals(() => now),
    pass: (ms) => {
      now += ms;
    },
  };
}

describe("refusals", () => {
  test("are remembered for a second, with what has passed since", () => {
    const { refusals, pass } = atTime();
    const charges = [aCharge(), aCharge()];
    refusals.keep(charges, aResult(passes, refuses), 0);
    pass(999);
    expect(refusals.find(charges)).toEqual({
      allowed: false,
      counters: [
        { allowed: true, remaining: 3, resetMs: 0, retryMs: 0 },
        { allowed: false, remaining: 0, resetMs: 4_001, retryMs: 4_001 },
      ],
      atMs: 1_000_999,
    });
    pass(1);
    expect(refusals.find(charges)).toBeUndefined();
  });

  test("are not remembered for longer than until it could pass", () => {
    const { refusals, pass } = atTime();
    const charges = [aCharge()];
    refusals.keep(charges, aResult({ ...refuses, retryMs: 30 }), 0);
    pass(29);
    expect(refusals.find(charges)?.allowed).toBe(false);
    pass(1);
    expect(refusals.find(charges)).toBeUndefined();
  });

  test.each<[string, Partial<Charge>]>([
    ["limit", { limit: 11, burst: 11 }],
    ["burst", { burst: 11 }],
    ["cost", { cost: 2 }],
    ["key", { key: "another" }],
    ["group", { group: "another" }],
    ["id", { id: "x" }],
    ["trial", { isTrial: true }],
  ])("are no answer for another %s", (_, changes) => {
    const { refusals } = atTime();
    const one = aCharge();
    refusals.keep([one], aResult(refuses), 0);
    expect(refusals.find([{ ...one }])?.allowed).toBe(false);
    expect(refusals.find([{ ...one, ...changes }])).toBeUndefined();
    expect(refusals.find([one, aCharge()])).toBeUndefined();
  });

  test.each<[string, Partial<Charge>]>([
    ["a charge with an id, which may have passed before", { id: "x" }],
    ["concurrency, whose units come back at any time", { algorithm: "concurrency" }],
    ["a trial", { isTrial: true }],
  ])("are not remembered of %s", (_, changes) => {
    const { refusals } = atTime();
    const charges = [aCharge(changes)];
    refusals.keep(charges, { ...aResult(refuses), allowed: false }, 0);
    expect(refusals.find(charges)).toBeUndefined();
  });

  test("are forgotten with their counter, and never kept of what passed", () => {
    const { refusals } = atTime();
    const one = aCharge();
    refusals.keep([one], aResult(refuses), 0);
    refusals.forget(one.key);
    expect(refusals.find([one])).toBeUndefined();
    refusals.keep([one], aResult(passes), 0);
    expect(refusals.find([one])).toBeUndefined();
  });

  test("are remembered of ten thousand counters, the last ones", () => {
    const { refusals } = atTime();
    const charges = Array.from({ length: 10_001 }, () => aCharge());
    for (const one of charges) refusals.keep([one], aResult(refuses), 0);
    expect(refusals.find(charges.slice(0, 1))).toBeUndefined();
    expect(refusals.find(charges.slice(-1))?.allowed).toBe(false);
  });
});
