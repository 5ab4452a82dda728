import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createMemoryStore } from "../../src/quota/index.js";
import { createCounterKeys } from "../../src/ratelimit/counter-key.js";
import type { Unit } from "../../src/ratelimit/index.js";
import { secondsUntilReset, unitSeconds, windowStart } from "../../src/ratelimit/windows.js";
import { createAdditionsStore } from "../support/additions-store.js";
import { type RateLimitCase, type RateLimitStep, readRateLimitCorpus } from "./ratelimit-case.js";
import { rateLimitExceptions } from "./ratelimit-exceptions.js";
import { replayRateLimits } from "./ratelimit-replay.js";

const corpus = readRateLimitCorpus(corpusFile("public.jsonl.gz"));

describe("with the peer's counter keys", () => {
  it.each(corpus)("$id: every answer, counter and statistic is the peer's", async (one) => {
    const store = createAdditionsStore();
    const { steps, statistics } = await replayRateLimits(one, store, true);
    expect(steps).toEqual(one.steps.map(expected));
    expect(nonZero(store.counters)).toEqual(nonZero(countersAfter(one)));
    expect(statistics).toEqual(statisticsAfter(one));
  });
});

describe("on the memory store", () => {
  it.each(corpus)("$id: every answer is the peer's", async (one) => {
    const store = createMemoryStore({ now: () => one.clock_unix * 1000 });
    const { steps } = await replayRateLimits(one, store, true);
    expect(steps).toEqual(one.steps.map(expected));
  });
});

describe("with keys of which no two are alike", () => {
  it.each(corpus)("$id: every answer is the peer's but for reasoned exceptions", async (one) => {
    const { steps } = await replayRateLimits(one, createAdditionsStore(), false);
    const different = one.steps.flatMap((step, index) => (agrees(steps[index], step) ? [] : [index]));
    const known = rateLimitExceptions.filter(({ id }) => id === one.id);
    expect(different).toEqual(known.map(({ step }) => step));
  });
});

describe("windows", () => {
  it("begin and end where the peer's do, in all units at all recorded times", () => {
    const keys = createCounterKeys({ keyPrefix: "", sharedKeys: true });
    const entries = [{ key: "k", value: "v" }];
    const windows = readWindows();
    expect(windows).toHaveLength(182);
    const ours = windows.map(({ now, unit }) => ({
      cache_key: keys.key(keys.domainPart("d"), entries, undefined, unit, now),
      divider_seconds: unitSeconds[unit],
      duration_until_reset_s: secondsUntilReset(unit, now),
      now,
      per_second_store: unit === "SECOND",
      unit,
    }));
    expect(ours).toEqual(windows);
  });
});

function agrees(ours: unknown, step: RateLimitStep): boolean {
  try {
    expect(ours).toEqual(expected(step));
    return true;
  } catch {
    return false;
  }
}

/** What the later version answers is not asked for: where it differs we stay with the recorded one. */
function expected(step: RateLimitStep) {
  return step.request === undefined ? undefined : (step.response ?? step.error?.message);
}

function countersAfter(one: RateLimitCase): ReadonlyMap<string, number> {
  return new Map(
    one.redis_after.map(({ key, unit, value }) => {
      const start = windowStart(unit, one.clock_unix);
      return [key.replace("{WINDOW}", String(start)), Number(value)];
    }),
  );
}

/** Whether looking makes a counter of 0 is the store's matter. */
function nonZero(counters: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  return Object.fromEntries([...counters].filter(([, value]) => value !== 0));
}

/** What is said of limits and domains; the rest is of the service. */
function statisticsAfter(one: RateLimitCase): Readonly<Record<string, string>> {
  const prefix = "rate_limit.";
  const own = Object.entries(one.stats_after).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, hits]) => [name.slice(prefix.length), hits]));
}

interface RecordedWindow {
  readonly cache_key: string;
  readonly divider_seconds: number;
  readonly duration_until_reset_s: number;
  readonly now: number;
  readonly per_second_store: boolean;
  readonly unit: Unit;
}

function readWindows(): RecordedWindow[] {
  const lines = readFileSync(corpusFile("windows.jsonl"), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as RecordedWindow);
}

function corpusFile(name: string): string {
  return new URL(`corpus/ratelimit/${name}`, import.meta.url).pathname;
}
