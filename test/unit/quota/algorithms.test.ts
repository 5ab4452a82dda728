import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Counting, countings, type Demand, type Step } from "../../../src/quota/counting.js";
import type { Algorithm } from "../../../src/quota/index.js";
import { algorithms } from "../../support/counter-store-subject.js";

interface Grant {
  readonly at: number;
  readonly cost: number;
}

const start = Date.UTC(2026, 10, 21, 12, 34, 56, 789);
const most = 2 ** 32 - 1;

function aDemand(changes: Partial<Demand> & { algorithm: Algorithm }): Demand {
  const limit = changes.limit ?? 10;
  return { windowMs: 1_000, burst: limit, cost: 1, ...changes, limit };
}

/** Limits, and charges in the order of time. */
const runs = fc.record({
  limit: fc.integer({ min: 0, max: 20 }),
  windowMs: fc.integer({ min: 1, max: 300 }),
  burst: fc.integer({ min: 1, max: 30 }),
  charges: fc.array(
    fc.record({ gap: fc.integer({ min: 0, max: 90 }), cost: fc.integer({ min: 0, max: 6 }) }),
    {
      maxLength: 120,
    },
  ),
});

type Run = typeof runs extends fc.Arbitrary<infer Value> ? Value : never;

/** Charges one counter, and compares each answer with what `mayPass` makes of the log of grants. */
function compare(algorithm: Algorithm, run: Run, mayPass: (log: Grant[], grant: Grant) => boolean): Grant[] {
  const counting = countings[algorithm];
  const log: Grant[] = [];
  let at = start;
  let state: unknown;
  for (const { gap, cost } of run.charges) {
    at += gap;
    const demand = { algorithm, limit: run.limit, windowMs: run.windowMs, burst: run.burst, cost };
    const step = counting.take(state, demand, at);
    expect(step.allowed).toBe(run.limit > 0 && mayPass(log, { at, cost }));
    state = step.state;
    if (step.allowed) log.push({ at, cost });
  }
  return log;
}

function units(log: readonly Grant[]): number {
  return log.reduce((sum, { cost }) => sum + cost, 0);
}

describe("a fixed window", () => {
  it("grants in each aligned window exactly what a log of grants would", () => {
    const property = fc.property(runs, (run) => {
      const windowOf = ({ at }: Grant): number => Math.floor(at / run.windowMs);
      const log = compare("fixedWindow", run, (before, grant) => {
        const same = before.filter((one) => windowOf(one) === windowOf(grant));
        return units(same) + grant.cost <= run.limit;
      });
      for (const first of log) {
        expect(units(log.filter((one) => windowOf(one) === windowOf(first)))).toBeLessThanOrEqual(run.limit);
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("begins at the multiples of the window since the epoch", () => {
    const demand = aDemand({ algorithm: "fixedWindow", windowMs: 3_600_000 });
    const { resetMs } = countings.fixedWindow.take(undefined, demand, start);
    expect(new Date(start + resetMs).toISOString()).toBe("2026-11-21T13:00:00.000Z");
  });
});

describe("a sliding window", () => {
  it("grants what the two windows weighted allow", () => {
    const property = fc.property(runs, (run) => {
      const { limit, windowMs } = run;
      compare("slidingWindow", run, (before, { at, cost }) => {
        const begin = at - (at % windowMs);
        const current = units(before.filter((one) => one.at >= begin));
        const previous = units(before.filter((one) => one.at < begin && one.at >= begin - windowMs));
        return previous * (windowMs - (at - begin)) + (current + cost) * windowMs <= limit * windowMs;
      });
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("keeps its bound: limit * (1 + T / window) in any time T up to a window", () => {
    const property = fc.property(runs, (run) => {
      const { limit, windowMs } = run;
      const log = compare("slidingWindow", run, ignoring("slidingWindow", run));
      for (const [index, first] of log.entries()) {
        let sum = 0;
        for (const { at, cost } of log.slice(index)) {
          if (at - first.at > windowMs) break;
          sum += cost;
          expect(sum * windowMs).toBeLessThanOrEqual(limit * (windowMs + at - first.at));
        }
      }
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe("a token bucket", () => {
  it("grants in any time T burst + limit * T / window at most, and refuses nothing that fits", () => {
    const property = fc.property(runs, (run) => {
      const { limit, windowMs, burst } = run;
      compare("tokenBucket", run, (before, { at, cost }) => {
        let sum = cost;
        if (sum > burst) return false;
        for (const grant of before.toReversed()) {
          sum += grant.cost;
          if (sum * windowMs > burst * windowMs + limit * (at - grant.at)) return false;
        }
        return true;
      });
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("lets the burst pass at once, and then one in each share of the window", () => {
    const demand = aDemand({ algorithm: "tokenBucket", limit: 3, burst: 5, windowMs: 1_000 });
    const passed: number[] = [];
    let state: unknown;
    for (let at = start; at < start + 2_000; at++) {
      const step = countings.tokenBucket.take(state, demand, at);
      state = step.state;
      if (step.allowed) passed.push(at - start);
    }
    expect(passed).toEqual([0, 1, 2, 3, 4, 334, 667, 1000, 1334, 1667]);
  });

  it("never drifts, however many charges come", () => {
    const demand = aDemand({ algorithm: "tokenBucket", limit: 7, burst: 2, windowMs: 1_000 });
    let state: unknown;
    let passed = 0;
    for (let at = start; at < start + 700_000; at++) {
      const step = countings.tokenBucket.take(state, demand, at);
      state = step.state;
      if (step.allowed) passed++;
    }
    expect(passed).toBe(4_901);
  });
});

describe("concurrency", () => {
  it("gives back the newest units where nobody knows when they were taken, so that forgotten ones run out", () => {
    const demand = aDemand({ algorithm: "concurrency", limit: 3, windowMs: 64_000 });
    let state = countings.concurrency.take(undefined, demand, start).state;
    for (const at of [start + 30_000, start + 40_000]) {
      state = countings.concurrency.take(state, demand, at).state;
    }
    state = countings.concurrency.giveBack(state, { ...demand, cost: 2 }, -1);
    const used = (at: number): number =>
      3 - countings.concurrency.take(state, { ...demand, cost: 0 }, at).remaining;
    expect(used(start + 40_000)).toBe(1);
    expect(used(start + 66_000)).toBe(0);
    expect(countings.concurrency.giveBack(state, { ...demand, cost: 9 }, -1)).toEqual([]);
  });

  const actions = fc.record({
    limit: fc.integer({ min: 0, max: 12 }),
    windowMs: fc.integer({ min: 1, max: 2_000 }),
    actions: fc.array(
      fc.record({
        gap: fc.integer({ min: 0, max: 300 }),
        cost: fc.integer({ min: 1, max: 4 }),
        gives: fc.option(fc.nat(), { nil: undefined }),
      }),
      { maxLength: 120 },
    ),
  });

  it("never has more than the limit in use, and refuses only what would not fit", () => {
    const property = fc.property(actions, ({ limit, windowMs, actions: list }) => {
      const counting = countings.concurrency;
      const slice = Math.ceil(windowMs / 64);
      let inUse: Grant[] = [];
      let at = start;
      let state: unknown;
      for (const { gap, cost, gives } of list) {
        at += gap;
        const back = gives === undefined ? undefined : inUse[gives % Math.max(1, inUse.length)];
        if (back !== undefined) {
          inUse = inUse.filter((one) => one !== back);
          state = counting.giveBack(state, aDemand({ algorithm: "concurrency", windowMs, ...back }), back.at);
        }
        const step = counting.take(state, aDemand({ algorithm: "concurrency", limit, windowMs, cost }), at);
        state = step.state;
        const atLeast = units(inUse.filter((one) => one.at + windowMs > at)) + cost;
        const atMost = units(inUse.filter((one) => one.at + windowMs + slice > at)) + cost;
        if (step.allowed) expect(atLeast).toBeLessThanOrEqual(limit);
        else expect(atMost).toBeGreaterThan(limit);
        if (step.allowed) inUse.push({ at, cost });
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("keeps a bounded state of ever so many leases, to and fro in time", () => {
    const steps = fc.array(fc.integer({ min: -800, max: 1_000 }), { minLength: 200, maxLength: 600 });
    const property = fc.property(steps, fc.integer({ min: 1, max: 10_000 }), (gaps, windowMs) => {
      const demand = aDemand({ algorithm: "concurrency", limit: most, windowMs });
      let at = start;
      let state: unknown;
      for (const gap of gaps) {
        at += gap;
        state = countings.concurrency.take(state, demand, at).state;
        expect((state as unknown[]).length).toBeLessThanOrEqual(131);
      }
    });
    fc.assert(property, { numRuns: 30 });
  });

  it("frees a forgotten lease though others come and go all the time", () => {
    const demand = aDemand({ algorithm: "concurrency", limit: 2, windowMs: 1_000 });
    let { state } = countings.concurrency.take(undefined, demand, start);
    let remaining = 0;
    for (let at = start + 10; at < start + 1_100; at += 10) {
      const step = countings.concurrency.take(state, demand, at);
      expect(step.allowed).toBe(true);
      remaining = step.remaining;
      state = countings.concurrency.giveBack(step.state, demand, at);
    }
    expect(remaining).toBe(1);
  });
});

describe.each(algorithms)("what %s says", (algorithm) => {
  const counting = countings[algorithm];
  const bursts = algorithm === "tokenBucket";
  const capacity = ({ limit, burst }: Demand): number => (bursts ? burst : limit);

  /** Each charge of a run, with the state before it. */
  function each(
    run: Run,
    visit: (before: unknown, demand: Demand, at: number, step: Step<unknown>) => void,
  ): void {
    let at = start;
    let state: unknown;
    for (const { gap, cost } of run.charges) {
      at += gap;
      const { limit, windowMs, burst } = run;
      const demand = { algorithm, limit, windowMs, cost, burst: bursts ? burst : limit };
      const step = counting.take(state, demand, at);
      visit(state, demand, at, step);
      state = step.state;
    }
  }

  it("is left passes, and a unit more does not", () => {
    const property = fc.property(runs, (run) => {
      each(run, (_, demand, at, { state, remaining }) => {
        if (demand.limit === 0) return;
        expect(remaining).toBeGreaterThanOrEqual(0);
        expect(counting.take(state, { ...demand, cost: remaining }, at).allowed).toBe(true);
        expect(counting.take(state, { ...demand, cost: remaining + 1 }, at).allowed).toBe(false);
      });
    });
    fc.assert(property, { numRuns: 200 });
  });

  it("is there again after the reset is all of it", () => {
    const property = fc.property(runs, (run) => {
      each(run, (_, demand, at, { state, resetMs }) => {
        if (demand.limit === 0) return;
        const later = counting.take(state, { ...demand, cost: 0 }, at + resetMs);
        expect(later.remaining).toBe(capacity(demand));
      });
    });
    fc.assert(property, { numRuns: 200 });
  });

  it("to wait is just long enough", () => {
    const property = fc.property(runs, (run) => {
      each(run, (before, demand, at, { allowed, retryMs, resetMs }) => {
        expect(retryMs).toBeLessThanOrEqual(resetMs);
        if (allowed || demand.limit === 0 || demand.cost > capacity(demand)) return;
        expect(counting.take(before, demand, at + retryMs).allowed).toBe(true);
        expect(counting.take(before, demand, at + retryMs - 1).allowed).toBe(false);
      });
    });
    fc.assert(property, { numRuns: 200 });
  });

  it("was charged and given back leaves no trace", () => {
    const property = fc.property(runs, (run) => {
      each(run, (before, demand, at, { allowed, state }) => {
        if (!allowed) return;
        const after = counting.take(counting.giveBack(state, demand, at), { ...demand, cost: 0 }, at);
        expect(after.remaining).toBe(counting.take(before, { ...demand, cost: 0 }, at).remaining);
      });
    });
    fc.assert(property, { numRuns: 200 });
  });

  it("leaves the state as it was when it refuses", () => {
    const property = fc.property(runs, (run) => {
      each(run, (before, demand, at, { allowed, state }) => {
        if (!allowed) expect(state).toEqual(counting.take(before, { ...demand, cost: 0 }, at).state);
      });
    });
    fc.assert(property, { numRuns: 100 });
  });

  it("grants nothing anew to a clock that goes back by at most a window", () => {
    const back = fc.integer({ min: 0, max: 1_000 });
    const property = fc.property(back, fc.integer({ min: 0, max: 5_000 }), (ms, offset) => {
      const demand = aDemand({ algorithm, limit: 3, cost: 3, windowMs: 1_000 });
      const at = start + offset;
      const { state } = counting.take(undefined, demand, at);
      expect(counting.take(state, { ...demand, cost: 1 }, at - ms).allowed).toBe(false);
    });
    fc.assert(property);
  });

  it("stays sound whatever the clock, the limit and the costs do", () => {
    const jump = fc.oneof(
      fc.integer({ min: -3_000, max: 3_000 }),
      fc.integer({ min: -(10 ** 11), max: 10 ** 11 }),
    );
    const amount = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: most }));
    const step = fc.record({ jump, limit: amount, cost: amount, gives: fc.boolean() });
    const windows = fc.oneof(fc.integer({ min: 1, max: 2_000 }), fc.constant(36_525 * 86_400_000));
    const property = fc.property(windows, fc.array(step, { maxLength: 60 }), (windowMs, steps) => {
      let at = start;
      let state: unknown;
      for (const { jump: ms, limit, cost, gives } of steps) {
        at = Math.max(0, at + ms);
        const demand = aDemand({ algorithm, limit, cost, windowMs });
        const result = counting.take(state, demand, at);
        for (const number of [result.remaining, result.resetMs, result.retryMs]) {
          expect(Number.isSafeInteger(number)).toBe(true);
          expect(number).toBeGreaterThanOrEqual(0);
        }
        expect(result.remaining).toBeLessThanOrEqual(limit);
        expect(result.retryMs).toBeLessThanOrEqual(result.resetMs);
        state = gives ? counting.giveBack(result.state, demand, at) : result.state;
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("counted before a clock went back by years is over soon", () => {
    const demand = aDemand({ algorithm, limit: 3, cost: 3, windowMs: 1_000 });
    const { state } = counting.take(undefined, demand, start);
    const then = start - 10 ** 11;
    const { allowed, retryMs, state: there } = counting.take(state, demand, then);
    expect(retryMs).toBeLessThanOrEqual(2_000);
    expect(allowed || counting.take(there, demand, then + retryMs).allowed).toBe(true);
  });
});

/** Of a run whose answers another test compares: repeats what the algorithm itself says. */
function ignoring(algorithm: Algorithm, run: Run): (log: Grant[], grant: Grant) => boolean {
  const counting: Counting<unknown> = countings[algorithm];
  let state: unknown;
  return (_, { at, cost }) => {
    const step = counting.take(state, { ...run, algorithm, cost }, at);
    state = step.state;
    return step.allowed;
  };
}
