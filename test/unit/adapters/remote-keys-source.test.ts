import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { createRemoteKeys } from "../../../src/adapters/remote-keys.js";
import { createFakeTime, settle } from "../../support/fake-time.js";
import { createFakeEndpoints, jwksOf, makeKey } from "../../support/key-endpoint.js";
import {
  breakDown,
  endpoints,
  events,
  hour,
  kids,
  locator,
  minute,
  pool,
  poolForEach,
  publish,
  stateOf,
  time,
  uri,
} from "./remote-key-pool.js";

const [one, two] = [makeKey("one"), makeKey("two")];

poolForEach();

describe("freshness", () => {
  it.each([
    ["nothing", [], 20 * minute],
    ["max-age", [["cache-control", "public, max-age=600"]], 10 * minute],
    ["a max-age below the minimum", [["cache-control", "max-age=1"]], minute],
    ["a max-age above the maximum", [["cache-control", "max-age=9999999"]], 24 * hour],
    ["s-maxage, which is for shared caches", [["cache-control", "s-maxage=600"]], 20 * minute],
    ["no-store", [["cache-control", "no-store, max-age=600"]], minute],
    ["no-cache", [["cache-control", "No-Cache"]], minute],
    [
      "two lines, of which the shorter counts",
      [
        ["cache-control", "max-age=900"],
        ["cache-control", "max-age=600"],
      ],
      10 * minute,
    ],
    [
      "max-age and the age in a cache",
      [
        ["cache-control", "max-age=900"],
        ["age", "300"],
      ],
      10 * minute,
    ],
    [
      "an age beyond max-age",
      [
        ["cache-control", "max-age=900"],
        ["age", "3000"],
      ],
      minute,
    ],
    ["a max-age that is no number", [["cache-control", "max-age=soon"]], 20 * minute],
  ] as const)("is told by %s", async (_what, headers, freshMs) => {
    publish(jwksOf(one), headers);
    pool.retain([locator]);
    await settle();
    // 0.5 of the jitter between 72 and 80 %.
    expect(stateOf().nextFetchInMs).toBeCloseTo(0.76 * freshMs, 3);
    breakDown();
    await time.advance(freshMs - 1);
    expect(stateOf().state).toBe("fresh");
    await time.advance(1);
    expect(stateOf().state).toBe("stale");
  });

  it("ends by a fetch in the background, before it is over", async () => {
    publish(jwksOf(one));
    pool.retain([locator]);
    await time.advance(15 * minute);
    publish(jwksOf(one, two));
    await time.advance(minute);
    expect(kids()).toEqual(["one", "two"]);
    expect(stateOf().state).toBe("fresh");
    expect(endpoints.asked).toHaveLength(2);
  });

  it("keeps the same keys for the same content, so that verified tokens stay verified", async () => {
    publish(jwksOf(one, two));
    pool.retain([locator]);
    await settle();
    const before = pool.source(locator).current();
    await time.advance(16 * minute);
    expect(pool.source(locator).current()).toBe(before);
    publish(`${JSON.stringify({ keys: [two.jwk, one.jwk] }, null, 2)}\n`);
    await time.advance(16 * minute);
    expect(endpoints.asked).toHaveLength(3);
    expect(pool.source(locator).current()).toBe(before);
    expect(events.map((event) => event.kind === "fetched" && event.changed)).toEqual([true, false, false]);
    publish(jwksOf(two));
    await time.advance(16 * minute);
    expect(pool.source(locator).current()).not.toBe(before);
  });
});

describe("a failing endpoint", () => {
  it("without keys is tried again after 1, 2, 4 … seconds, at most every 5 minutes", async () => {
    breakDown();
    pool.retain([locator]);
    await time.advance(2 * hour);
    const gaps = endpoints.asked.map(({ at }, i) => at - (endpoints.asked[i - 1]?.at ?? 0)).slice(1);
    expect(gaps.slice(0, 10).map((gap) => gap / 1.125)).toEqual([
      1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000,
    ]);
    expect(Math.max(...gaps)).toBe(337_500);
  });

  it("with keys at hand is never tried twice within the interval", async () => {
    publish(jwksOf(one));
    pool.retain([locator]);
    await settle();
    breakDown();
    await time.advance(2 * hour);
    const gaps = endpoints.asked.map(({ at }, i) => at - (endpoints.asked[i - 1]?.at ?? 0)).slice(1);
    expect(gaps.length).toBeGreaterThan(10);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(10_000);
  });

  it("keeps the last good keys for 24 hours after they became stale, then there are none", async () => {
    publish(jwksOf(one));
    pool.retain([locator]);
    await settle();
    breakDown();
    await time.advance(20 * minute + 24 * hour - 1);
    expect(kids()).toEqual(["one"]);
    expect(stateOf().state).toBe("stale");
    await time.advance(1);
    expect(kids()).toBeUndefined();
    expect(stateOf()).toMatchObject({ state: "missing", keys: [] });
    expect(events.at(-1)?.kind).toBe("expired");
    publish(jwksOf(two));
    await time.advance(10 * minute);
    expect(kids()).toEqual(["two"]);
    expect(stateOf().failures).toBe(0);
  });

  it("is tried again at once when where we may connect to has changed", async () => {
    breakDown();
    pool.retain([locator]);
    await time.advance(hour);
    publish(jwksOf(one));
    pool.retry();
    await settle();
    expect(kids()).toEqual(["one"]);
    const count = endpoints.asked.length;
    pool.retry();
    expect(endpoints.asked).toHaveLength(count);
    expect(events.at(-1)).toMatchObject({ kind: "fetched", isFirst: true });
  });
});

describe("refresh for an unknown key", () => {
  beforeEach(async () => {
    publish(jwksOf(one));
    pool.retain([locator]);
    await settle();
    endpoints.asked.length = 0;
  });

  it("is one fetch for all who wait", async () => {
    publish(jwksOf(one, two));
    const waiting = Array.from({ length: 100 }, () => pool.source(locator).refresh());
    expect(waiting).not.toContain(undefined);
    await Promise.all(waiting);
    expect(kids()).toEqual(["one", "two"]);
    expect(endpoints.asked).toHaveLength(1);
  });

  it("joins a fetch that is under way in the background", async () => {
    let answer = (): void => {};
    endpoints.answers.set(
      uri,
      () =>
        new Promise((resolve) => {
          answer = () => resolve({ body: jwksOf(two) });
        }),
    );
    await time.advance(16 * minute);
    const waiting = pool.source(locator).refresh();
    expect(endpoints.asked).toHaveLength(1);
    answer();
    await waiting;
    expect(kids()).toEqual(["two"]);
  });

  it("joins a fetch in the background, and fetches once more when that brought nothing new", async () => {
    let answer = (): void => {};
    endpoints.answers.set(
      uri,
      () =>
        new Promise((resolve) => {
          answer = () => resolve({ body: jwksOf(one) });
        }),
    );
    await time.advance(16 * minute);
    const waiting = [pool.source(locator).refresh(), pool.source(locator).refresh()];
    publish(jwksOf(one, two));
    answer();
    await Promise.all(waiting);
    expect(kids()).toEqual(["one", "two"]);
    expect(endpoints.asked).toHaveLength(2);
    expect(time.waiting()).toBe(2);
  });

  it("never takes longer than the locator's timeout", async () => {
    endpoints.answers.set(uri, () => new Promise(() => {}));
    await time.advance(16 * minute);
    let isOver = false;
    void pool
      .source(locator)
      .refresh()
      ?.then(() => {
        isOver = true;
      });
    await time.advance(4_999);
    expect(isOver).toBe(false);
    await time.advance(1);
    expect(isOver).toBe(true);
  });

  it("comes to nothing within the interval after the last one, good or failed", async () => {
    await pool.source(locator).refresh();
    await time.advance(9_999);
    expect(pool.source(locator).refresh()).toBeUndefined();
    breakDown();
    await time.advance(1);
    await pool.source(locator).refresh();
    expect(pool.source(locator).refresh()).toBeUndefined();
  });

  it("that came to nothing leads to a fetch as soon as the interval is over", async () => {
    await pool.source(locator).refresh();
    await time.advance(2_000);
    publish(jwksOf(one, two));
    expect(pool.source(locator).refresh()).toBeUndefined();
    expect(pool.source(locator).refresh()).toBeUndefined();
    await time.advance(7_999);
    expect(kids()).toEqual(["one"]);
    await time.advance(1);
    expect(kids()).toEqual(["one", "two"]);
    expect(pool.source(locator).refresh()).toBeUndefined();
  });

  it("may follow a fetch in the background at once: the key may have been published in between", async () => {
    await time.advance(15.2 * minute);
    expect(endpoints.asked).toHaveLength(1);
    publish(jwksOf(two));
    await pool.source(locator).refresh();
    expect(kids()).toEqual(["two"]);
  });

  it("resolves when the fetch fails", async () => {
    breakDown();
    await expect(pool.source(locator).refresh()).resolves.toBeUndefined();
    expect(kids()).toEqual(["one"]);
  });

  /** When fetches began while somebody asked at these times, the endpoint being up or down. */
  const fetchesUnder = async (
    steps: readonly (readonly [ms: number, isUp: boolean])[],
  ): Promise<readonly number[]> => {
    const clock = createFakeTime();
    const { send, asked, answers } = createFakeEndpoints(clock);
    const ports = { send, now: clock.now, wall: clock.now, schedule: clock.schedule, random: () => 0 };
    const own = createRemoteKeys({ ...ports, onEvent: () => {} });
    answers.set(uri, { body: jwksOf(one) });
    own.retain([locator]);
    await settle();
    asked.length = 0;
    for (const [ms, isUp] of steps) {
      answers.set(uri, isUp ? { body: jwksOf(one) } : { status: 500 });
      await clock.advance(ms);
      void own.source(locator).refresh();
    }
    await settle();
    own.close();
    return asked.map(({ at }) => at);
  };
  /** Together they take less than what the first fetch in the background waits for. */
  const pauses = fc.nat(14_000);

  it("makes at most one fetch in an interval, whoever asks when", async () => {
    const steps = fc.array(fc.tuple(pauses, fc.constant(true)), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(steps, async (given) => {
        const fetches = await fetchesUnder(given);
        const gaps = fetches.slice(1).map((at, i) => at - (fetches[i] ?? 0));
        expect(gaps.filter((gap) => gap < 10_000)).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  it("and what is tried again in the background are together at most two in an interval", async () => {
    const steps = fc.array(fc.tuple(pauses, fc.boolean()), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(steps, async (given) => {
        const fetches = await fetchesUnder(given);
        const gaps = fetches.slice(2).map((at, i) => at - (fetches[i] ?? 0));
        expect(gaps.filter((gap) => gap < 10_000)).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });
});
