import { describe, expect, it } from "vitest";
import { type CounterStore, createMemoryStore, StoreError } from "../../../src/quota/index.js";
import {
  createLocalCache,
  type DescriptorRequest,
  type RateLimitAnswer,
  RateLimitError,
  type RateLimits,
} from "../../../src/ratelimit/index.js";
import { createAdditionsStore } from "../../support/additions-store.js";
import {
  aCall,
  aDescriptor,
  aLimit,
  anUnlimited,
  aRateLimiter,
  askAtOnce,
  asking,
  someTime,
} from "../../support/rate-limits.js";

const threeAnHour = [
  {
    domain: "d",
    descriptors: [
      aDescriptor({ key: "k", rateLimit: aLimit(3) }),
      aDescriptor({ key: "free", rateLimit: anUnlimited() }),
    ],
  },
];

const k = (parts: Partial<DescriptorRequest> = {}) => asking([["k", "v"]], parts);

function ask(limits: RateLimits, ...descriptors: readonly DescriptorRequest[]): RateLimitAnswer {
  return askAtOnce(limits, "d", ...descriptors);
}

function remaining(answer: RateLimitAnswer): readonly (readonly [string, number])[] {
  return answer.statuses.map(({ code, limitRemaining }) => [code, limitRemaining]);
}

function errorOf(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

describe("a call", () => {
  it("spends its hits although it is refused, and charges the others that pass", () => {
    const { limits } = aRateLimiter(threeAnHour);
    const other = asking([["k", "other"]]);
    expect(remaining(ask(limits, k({ hitsAddend: 4 }), other))).toEqual([
      ["OVER_LIMIT", 0],
      ["OK", 2],
    ]);
    expect(remaining(ask(limits, k({ hitsAddend: 0 }), other))).toEqual([
      ["OVER_LIMIT", 0],
      ["OK", 1],
    ]);
  });

  it("charges a descriptor that stands in it twice twice, in order", () => {
    const { limits } = aRateLimiter(threeAnHour);
    expect(remaining(ask(limits, k({ hitsAddend: 2 }), k()))).toEqual([
      ["OK", 1],
      ["OK", 0],
    ]);
  });

  it("is answered without the store where nothing is counted", () => {
    const { limits, added } = aRateLimiter(threeAnHour);
    const answer = ask(limits, asking([["free", "v"]]), asking([["none", "v"]]), asking([]));
    expect(remaining(answer)).toEqual([
      ["OK", 4_294_967_295],
      ["OK", 0],
      ["OK", 0],
    ]);
    expect(added).toEqual([]);
  });

  it("says of an unknown domain's descriptors that nothing applies, even with a limit of their own", () => {
    const { limits, told } = aRateLimiter(threeAnHour);
    const answer = limits.decide(aCall("__proto__", k({ limit: { requestsPerUnit: 0, unit: 0 } }), k()));
    expect(remaining(answer as RateLimitAnswer)).toEqual([
      ["OK", 0],
      ["OK", 0],
    ]);
    expect(told).toEqual(["__proto__.domain_not_found", "__proto__.domain_not_found"]);
  });

  it("has the peer's words for a missing domain and for missing descriptors", () => {
    const { limits } = aRateLimiter(threeAnHour);
    const words = [aCall(""), aCall("d")].map((call) => errorOf(() => limits.decide(call)));
    expect(words).toEqual([
      new RateLimitError("empty_domain", "rate limit domain must not be empty"),
      new RateLimitError("empty_descriptors", "rate limit descriptor list must not be empty"),
    ]);
  });

  it("of ten thousand descriptors is one addition with as many parts", () => {
    const { limits, added } = aRateLimiter(threeAnHour);
    const many = Array.from({ length: 10_000 }, (_, index) => asking([["k", `${index}`]]));
    expect(ask(limits, ...many).statuses).toHaveLength(10_000);
    expect(added.map(({ additions }) => additions.length)).toEqual([10_000]);
  });
});

describe("what is added", () => {
  it("is kept for the unit and up to the jitter longer, in the domain's group", () => {
    const { limits, added } = aRateLimiter(threeAnHour, { random: () => 0.9999 });
    ask(limits, k());
    expect(added).toEqual([
      {
        group: "d",
        stopsWhenOver: false,
        additions: [{ key: "d_k_v_1795266000", hits: 1, ttlSeconds: 3899, limit: 3 }],
      },
    ]);
  });

  it("has no jitter where the settings have none", () => {
    const { limits, added } = aRateLimiter(threeAnHour, {
      random: () => 0.9999,
      settings: { jitterSeconds: 0 },
    });
    ask(limits, k());
    expect(added[0]?.additions[0]?.ttlSeconds).toBe(3600);
  });

  it("is a bigint as soon as a number would lose digits, and an error from 2^63 on", () => {
    const { limits, added, told } = aRateLimiter(threeAnHour);
    ask(limits, k({ hitsAddend: 7n }), k({ hitsAddend: 2n ** 63n - 1n }));
    expect(added[0]?.additions.map(({ hits }) => hits)).toEqual([7, 2n ** 63n - 1n]);
    const before = [...told];
    const error = errorOf(() => ask(limits, k(), k({ hitsAddend: 2n ** 63n })));
    expect(error).toMatchObject({ kind: "bad_hits" });
    expect(added).toHaveLength(1);
    expect(told).toEqual(before);
  });
});

describe("a descriptor's own limit", () => {
  it.each([0, 8, -1, 2 ** 31 - 1])("with unit %i is an error, and nothing is counted", (unit) => {
    const { limits, added, told } = aRateLimiter(threeAnHour);
    const error = errorOf(() => ask(limits, k(), k({ limit: { requestsPerUnit: 9, unit } })));
    expect(error).toMatchObject({ kind: "bad_override", message: expect.stringContaining(`\`${unit}\``) });
    expect([added, told]).toEqual([[], []]);
  });

  it("stands in place of the file's, on the same counter where the unit is the same", () => {
    const { limits } = aRateLimiter(threeAnHour);
    const own = (unit: number) => k({ limit: { requestsPerUnit: 5, unit } });
    expect(remaining(ask(limits, k(), own(3), own(4)))).toEqual([
      ["OK", 2],
      ["OK", 3],
      ["OK", 4],
    ]);
  });

  it("counts also where the file has none, or one without end", () => {
    const { limits } = aRateLimiter(threeAnHour);
    const own = { limit: { requestsPerUnit: 0, unit: 7 } };
    const answer = ask(limits, asking([["none", "v"]], own), asking([["free", "v"]], own));
    expect(remaining(answer)).toEqual([
      ["OVER_LIMIT", 0],
      ["OVER_LIMIT", 0],
    ]);
    expect(answer.statuses[0]?.currentLimit).toEqual({ name: "", requestsPerUnit: 0, unit: "WEEK" });
  });
});

describe("negative hits", () => {
  const back = (hits: number) => k({ hitsAddend: hits, isNegative: true });

  it("are given back, down to nothing and not below", () => {
    const { limits } = aRateLimiter(threeAnHour);
    ask(limits, k({ hitsAddend: 3 }));
    expect(remaining(ask(limits, back(2)))).toEqual([["OK", 2]]);
    expect(remaining(ask(limits, back(100)))).toEqual([["OK", 3]]);
    expect(remaining(ask(limits, k()))).toEqual([["OK", 2]]);
  });

  it("are never refused, though the counter stays over its limit, and are no statistic", () => {
    const { limits, told } = aRateLimiter(threeAnHour);
    ask(limits, k({ hitsAddend: 9 }));
    const before = [...told];
    const answer = ask(limits, back(1));
    expect([answer.code, remaining(answer)]).toEqual(["OK", [["OK", 0]]]);
    expect(told).toEqual(before);
  });

  it("are the call's where the descriptor has none of its own", () => {
    const { limits } = aRateLimiter(threeAnHour);
    ask(limits, k({ hitsAddend: 3 }));
    expect(remaining(ask(limits, k({ isNegative: true })))).toEqual([["OK", 1]]);
  });

  it("reach the counter past the local cache, which then asks again", () => {
    const { limits } = aRateLimiter(threeAnHour, { localCache: createLocalCache(1) });
    ask(limits, k({ hitsAddend: 4 }));
    expect(remaining(ask(limits, back(2)))).toEqual([["OK", 1]]);
    expect(remaining(ask(limits, k()))).toEqual([["OK", 0]]);
  });

  it("are no obstacle for others where a limit that is passed stops the charging", () => {
    const { limits } = aRateLimiter(threeAnHour, { settings: { stopsWhenOver: true } });
    ask(limits, k({ hitsAddend: 9 }));
    const other = asking([["k", "other"]]);
    expect(remaining(ask(limits, back(1), other))).toEqual([
      ["OK", 0],
      ["OK", 2],
    ]);
    expect(remaining(ask(limits, k({ hitsAddend: 0 })))).toEqual([["OVER_LIMIT", 0]]);
  });
});

describe("the local cache", () => {
  it("answers for a counter that was over, without the store, until the window is over", () => {
    let now = someTime;
    const localCache = createLocalCache(1);
    const { limits, added, told } = aRateLimiter(threeAnHour, { localCache, now: () => now });
    ask(limits, k({ hitsAddend: 4 }));
    expect(remaining(ask(limits, k()))).toEqual([["OVER_LIMIT", 0]]);
    expect(added).toHaveLength(1);
    expect(told).toContain("d.k.over_limit_with_local_cache 1");
    now += 3_600_000;
    expect(remaining(ask(limits, k()))).toEqual([["OK", 2]]);
  });

  it("outlives a reload, and knows no limits: a higher one is over too", () => {
    const localCache = createLocalCache(1);
    ask(aRateLimiter(threeAnHour, { localCache }).limits, k({ hitsAddend: 4 }));
    const higher = [{ domain: "d", descriptors: [aDescriptor({ key: "k", rateLimit: aLimit(100) })] }];
    expect(ask(aRateLimiter(higher, { localCache }).limits, k()).code).toBe("OVER_LIMIT");
  });

  it("stops the charging of the others where the settings ask for that", () => {
    const localCache = createLocalCache(1);
    const { limits, added } = aRateLimiter(threeAnHour, { localCache, settings: { stopsWhenOver: true } });
    ask(limits, k({ hitsAddend: 4 }));
    ask(limits, k(), asking([["k", "other"]]));
    expect(added.map(({ stopsWhenOver }) => stopsWhenOver)).toEqual([true, false]);
    expect(added[1]?.additions).toEqual([expect.objectContaining({ hits: 0 })]);
  });
});

describe("modes that only tell", () => {
  const over = { hitsAddend: 4 };

  it("QUOTA_MODE makes OK of every descriptor and names it in the metadata", () => {
    const { limits } = aRateLimiter(threeAnHour, { settings: { quotaMode: true, dynamicMetadata: true } });
    const answer = ask(limits, asking([["none", "v"]]), k(over));
    expect(answer.code).toBe("OK");
    expect(answer.statuses[1]).toMatchObject({ code: "OK", durationUntilReset: undefined });
    expect(answer.dynamicMetadata).toEqual({
      domain: "d",
      descriptors: [{ entries: ["none=v"] }, { entries: ["k=v"], hitsAddend: 4 }],
      quotaModeViolations: [1],
      quotaModeEnabled: false,
    });
  });

  it("SHADOW_MODE leaves the descriptors' refusals as they are", () => {
    const { limits } = aRateLimiter(threeAnHour, { settings: { shadowMode: true } });
    const answer = ask(limits, k(over));
    expect([answer.code, answer.statuses[0]?.code]).toEqual(["OK", "OVER_LIMIT"]);
  });
});

describe("headers", () => {
  const headers = { limit: "L", remaining: "R", reset: "T" };
  const valuesOf = (answer: RateLimitAnswer) => answer.responseHeaders.map(([name, value]) => name + value);

  it("are of the least that remains, the first of equals, but of the last that refuses", () => {
    const { limits } = aRateLimiter(threeAnHour, { settings: { headers } });
    const own = (requestsPerUnit: number, value: string) =>
      asking([["k", value]], { limit: { requestsPerUnit, unit: 2 } });
    expect(valuesOf(ask(limits, own(9, "a"), own(5, "b"), own(5, "c")))).toEqual(["L5", "R4", "T31"]);
    expect(valuesOf(ask(limits, own(0, "d"), own(0, "e"), k()))).toEqual(["L0", "R0", "T31"]);
    expect(valuesOf(ask(limits, own(0, "d"), k(), k({ hitsAddend: 9 })))).toEqual(["L3", "R0", "T3091"]);
  });

  it("are not sent where nothing has a limit, or where all of a uint32 remains", () => {
    const { limits } = aRateLimiter(threeAnHour, { settings: { headers } });
    const most = asking([["none", "v"]], { limit: { requestsPerUnit: 2 ** 32 - 1, unit: 3 }, hitsAddend: 0 });
    expect(valuesOf(ask(limits, asking([["free", "v"]]), most))).toEqual([]);
  });
});

describe("the store", () => {
  const withAdd = (add: CounterStore["add"]): CounterStore => ({ ...createAdditionsStore(), add });
  const gone = new StoreError("unavailable", "gone");

  it("is waited for where it has to be", async () => {
    const { limits } = aRateLimiter(threeAnHour, { store: withAdd(() => Promise.resolve([4])) });
    const answer = limits.decide(aCall("d", k()));
    expect(answer).toBeInstanceOf(Promise);
    expect((await answer).code).toBe("OVER_LIMIT");
  });

  it("may fail, which is passed on; the hits were asked for all the same", async () => {
    const rejecting = aRateLimiter(threeAnHour, { store: withAdd(() => Promise.reject(gone)) });
    await expect(rejecting.limits.decide(aCall("d", k()))).rejects.toBe(gone);
    const throwing = aRateLimiter(threeAnHour, {
      store: withAdd(() => {
        throw gone;
      }),
    });
    expect(errorOf(() => ask(throwing.limits, k()))).toBe(gone);
    expect(throwing.told).toEqual(["d.k.total_hits 1"]);
  });

  // A key in Redis that something else has written is no number.
  it.each([
    ["too little", []],
    ["no number", [Number.NaN]],
  ])("that answers %s lets nothing pass", (_, values) => {
    const { limits } = aRateLimiter(threeAnHour, { store: withAdd(() => values) });
    expect(errorOf(() => ask(limits, k()))).toBeInstanceOf(RangeError);
  });

  it("in memory answers at once, and each window counts anew", () => {
    let now = someTime;
    const store = createMemoryStore({ now: () => now });
    const { limits } = aRateLimiter(threeAnHour, { store, now: () => now });
    expect(remaining(ask(limits, k({ hitsAddend: 4 })))).toEqual([["OVER_LIMIT", 0]]);
    now += 3_600_000;
    expect(remaining(ask(limits, k()))).toEqual([["OK", 2]]);
  });
});
