import { describe, expect, it } from "vitest";
import { prepareHeaders, retryAfterSeconds, type Usage } from "../../../src/quota/headers.js";
import type { CompiledQuota, CounterState } from "../../../src/quota/index.js";
import { compiled } from "./quota-kit.js";

const state = (remaining: number, resetMs = 29_001, retryMs = 0): CounterState => ({
  allowed: retryMs === 0,
  remaining,
  resetMs,
  retryMs,
});

const usage = (quotas: readonly CompiledQuota[], place: number, counter: CounterState): Usage => {
  const keyed = quotas[place]?.own;
  if (keyed === undefined) throw new Error("expected a quota");
  return { place, keyed, counter };
};

describe("RateLimit headers", () => {
  it("say the policy and what is left", () => {
    const quotas = [compiled({ limit: 100 })];
    expect(prepareHeaders(quotas, "rateLimit")([usage(quotas, 0, state(50))], undefined)).toEqual([
      ["ratelimit-policy", '"per-user";q=100;w=60'],
      ["ratelimit", '"per-user";r=50;t=30'],
    ]);
  });

  it("list several quotas, and only those that were counted", () => {
    const quotas = [compiled({ limit: 5 }, "a"), compiled({ limit: 6 }, "b"), compiled({ limit: 7 }, "c")];
    const used = [usage(quotas, 0, state(1)), usage(quotas, 2, state(2, 500))];
    expect(prepareHeaders(quotas, "rateLimit")(used, undefined)).toEqual([
      ["ratelimit-policy", '"a";q=5;w=60, "c";q=7;w=60'],
      ["ratelimit", '"a";r=1;t=30, "c";r=2;t=1'],
    ]);
  });

  it("name the namespace where two quotas have one name", () => {
    const quotas = [compiled({}, "all", "mesh"), compiled({}, "all", "shop"), compiled({}, "one", "shop")];
    const used = quotas.map((_, place) => usage(quotas, place, state(1)));
    const [policy] = prepareHeaders(quotas, "rateLimit")(used, undefined);
    expect(policy?.[1]).toBe('"mesh/all";q=3;w=60, "shop/all";q=3;w=60, "one";q=3;w=60');
  });

  it("quote names as structured fields want them", () => {
    const quotas = [compiled({}, 'a"b\\c\né')];
    const [policy] = prepareHeaders(quotas, "rateLimit")([usage(quotas, 0, state(1))], undefined);
    expect(policy?.[1]).toBe('"a\\"b\\\\c??";q=3;w=60');
  });

  it("show the allowance of the override that applies", () => {
    const overrides = [{ dimensions: { m: "GET" }, limit: 9, window: "1500ms" }];
    const quota = compiled({ dimensions: { m: "request.method" }, overrides });
    const keyed = quota.allowanceOf(["GET"]);
    if (keyed === undefined) throw new Error("expected an allowance");
    const [policy] = prepareHeaders([quota], "rateLimit")(
      [{ place: 0, keyed, counter: state(1) }],
      undefined,
    );
    expect(policy?.[1]).toBe('"per-user";q=9;w=2');
  });

  it("say of concurrency how many, and no time", () => {
    const quotas = [compiled({ algorithm: "concurrency" })];
    expect(prepareHeaders(quotas, "rateLimit")([usage(quotas, 0, state(2))], undefined)).toEqual([
      ["ratelimit-policy", '"per-user";q=3;qu="concurrent-requests"'],
      ["ratelimit", '"per-user";r=2'],
    ]);
  });

  it("are not there when nothing was counted", () => {
    expect(prepareHeaders([compiled()], "rateLimit")([], undefined)).toEqual([]);
    expect(prepareHeaders([compiled()], "xRateLimit")([], undefined)).toEqual([]);
  });
});

describe("X-RateLimit headers", () => {
  const quotas = [compiled({ limit: 5 }, "a"), compiled({ limit: 6 }, "b"), compiled({ limit: 7 }, "c")];
  const write = prepareHeaders(quotas, "xRateLimit");

  it("are of the quota with the least left", () => {
    const used = [4, 1, 1].map((remaining, place) => usage(quotas, place, state(remaining)));
    expect(write(used, undefined)).toEqual([
      ["x-ratelimit-limit", "6"],
      ["x-ratelimit-remaining", "1"],
      ["x-ratelimit-reset", "30"],
    ]);
  });

  it("are of the quota that refuses, when one does", () => {
    const used = [4, 1, 1].map((remaining, place) => usage(quotas, place, state(remaining)));
    expect(write(used, used[0])[0]).toEqual(["x-ratelimit-limit", "5"]);
  });
});

describe("no headers", () => {
  it("are written where nobody wants them", () => {
    const quotas = [compiled()];
    expect(prepareHeaders(quotas, "none")([usage(quotas, 0, state(1))], undefined)).toEqual([]);
  });
});

describe("Retry-After", () => {
  it("is in whole seconds, rounded up, and never 0", () => {
    expect([0, 1, 1000, 1001, 60_000].map((ms) => retryAfterSeconds(state(0, 0, ms)))).toEqual([
      1, 1, 1, 2, 60,
    ]);
  });
});
