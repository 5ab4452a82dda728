import { describe, expect, it } from "vitest";
import {
  type CompiledQuota,
  createLedger,
  createMemoryStore,
  createQuotaStage,
  type QuotaHeaders,
  type QuotaOutcome,
  type QuotaRequest,
  type QuotaStage,
} from "../../../src/quota/index.js";
import { asked, compiled, type FakeStore, fakeStore, recording, unavailable } from "./quota-kit.js";

interface Bench {
  readonly stage: QuotaStage;
  readonly store: FakeStore;
  readonly told: string[];
  /** The outcome, which the store gives at once. */
  readonly ask: (request?: QuotaRequest) => QuotaOutcome;
}

function bench(quotas: readonly CompiledQuota[], headers: QuotaHeaders = "none"): Bench {
  const [store, observer] = [fakeStore(), recording()];
  const ledger = createLedger({ store, local: fakeStore(), observer });
  const stage = createQuotaStage(quotas, { ledger, headers, observer });
  const ask = (request = asked()): QuotaOutcome => {
    const outcome = stage.charge(request);
    if (outcome instanceof Promise) throw new Error("expected an outcome at once");
    return outcome;
  };
  return { stage, store, told: observer.told, ask };
}

const refusals = (outcomes: readonly QuotaOutcome[]): readonly (string | undefined)[] =>
  outcomes.map(({ refused }) => refused?.quota);

const times = (count: number, ask: () => QuotaOutcome): QuotaOutcome[] => Array.from({ length: count }, ask);

describe("the quotas of a workload", () => {
  it("let pass what the limit says, and refuse the rest", () => {
    const { ask, told } = bench([compiled()]);
    expect(refusals(times(5, ask))).toEqual([
      undefined,
      undefined,
      undefined,
      "shop/per-user",
      "shop/per-user",
    ]);
    expect(told.filter((line) => line === "charged shop/per-user allowed")).toHaveLength(3);
    expect(told.filter((line) => line === "charged shop/per-user refused")).toHaveLength(2);
  });

  it("count each value of the dimensions by itself", () => {
    const { ask } = bench([
      compiled({ limit: 1, dimensions: ["request.headers['x-user']", "request.method"] }),
    ]);
    const by = (user: string, method?: string): string | undefined =>
      ask(asked({ "x-user": user }, method)).refused?.reason;
    expect([by("a"), by("b"), by("a", "PUT"), by("a"), by("b")]).toEqual([
      undefined,
      undefined,
      undefined,
      "over_limit",
      "over_limit",
    ]);
  });

  it("count only what matches", () => {
    const { ask, store } = bench([compiled({ limit: 1, match: "request.method == 'POST'" })]);
    expect(refusals(times(3, () => ask()))).toEqual([undefined, undefined, undefined]);
    expect(store.calls).toEqual([]);
    const posted = times(2, () => ask(asked({}, "POST")));
    expect(refusals(posted)).toEqual([undefined, "shop/per-user"]);
  });

  it("charge what the cost says", () => {
    const { ask } = bench([compiled({ limit: 10, cost: "int(request.headers['x-tokens'])" })]);
    const left = [3, 4, 4, 3].map((tokens) => ask(asked({ "x-tokens": String(tokens) })));
    expect(left.map(({ facts }) => facts[0]?.counter.remaining)).toEqual([7, 3, 3, 0]);
    expect(refusals(left)).toEqual([undefined, undefined, "shop/per-user", undefined]);
    expect(left[0]?.facts[0]).toMatchObject({ quota: "shop/per-user", limit: 10, windowMs: 60_000, cost: 3 });
  });

  it("charge all or none", () => {
    const quotas = [compiled({ limit: 5 }, "wide"), compiled({ limit: 2 }, "narrow")];
    const { ask, store } = bench(quotas);
    expect(refusals(times(4, ask))).toEqual([undefined, undefined, "shop/narrow", "shop/narrow"]);
    expect([...store.used.values()]).toEqual([2, 2]);
  });

  it("are charged nothing for callers that an override sets free", () => {
    const dimensions = { user: "request.headers['x-user']" };
    const overrides = [
      { dimensions: { user: "root" }, unlimited: true },
      { dimensions: { user: "svc-*" }, limit: 2 },
    ];
    const { ask, store } = bench([compiled({ limit: 1, dimensions, overrides })]);
    const by = (user: string): readonly (string | undefined)[] =>
      refusals(times(3, () => ask(asked({ "x-user": user }))));
    expect(by("root")).toEqual([undefined, undefined, undefined]);
    expect(store.calls).toEqual([]);
    expect(by("svc-a")).toEqual([undefined, undefined, "shop/per-user"]);
    expect(by("joe")).toEqual([undefined, "shop/per-user", "shop/per-user"]);
  });

  it("on trial refuse nothing, show nothing and say what they would have done", () => {
    const quotas = [compiled({ limit: 1, dryRun: true }, "trial"), compiled({ limit: 3 }, "real")];
    const { ask, told } = bench(quotas, "rateLimit");
    const [first, second] = times(2, ask);
    expect(first).toMatchObject({ dryRun: [{ quota: "shop/trial", result: "allowed" }] });
    expect(second).toMatchObject({ refused: undefined, dryRun: [{ quota: "shop/trial", result: "denied" }] });
    expect(second?.facts.map(({ quota }) => quota)).toEqual(["shop/real"]);
    expect(JSON.stringify(second?.headers)).not.toContain("trial");
    expect(told).toContain("charged shop/trial trial_refused");
  });

  it("of which several refuse are answered for by the one with the longest wait", () => {
    const quotas = [
      compiled({ limit: 1 }, "a"),
      compiled({ limit: 1 }, "longer-name"),
      compiled({ limit: 1 }, "b"),
    ];
    const { ask } = bench(quotas);
    expect(refusals(times(2, ask))).toEqual([undefined, "shop/longer-name"]);
  });

  it("answer at once where the store does, and else by a promise", async () => {
    const observer = recording();
    const ledger = createLedger({ store: fakeStore({ waits: true }), local: fakeStore(), observer });
    const stage = createQuotaStage([compiled({ limit: 1 })], { ledger, headers: "none", observer });
    const [first, second] = [stage.charge(asked()), stage.charge(asked())];
    expect(first).toBeInstanceOf(Promise);
    expect((await first).refused).toBeUndefined();
    expect((await second).refused?.reason).toBe("over_limit");
  });

  it("refuse with what the document says", () => {
    const response = { status: 503, body: "later", headers: { "X-Why": "quota", "Retry-After": "77" } };
    const { ask } = bench([compiled({ limit: 0, response })], "xRateLimit");
    const { refused, headers } = ask();
    expect(refused).toEqual({ quota: "shop/per-user", reason: "over_limit", status: 503, body: "later" });
    expect(headers).toEqual([
      ["x-ratelimit-limit", "0"],
      ["x-ratelimit-remaining", "0"],
      ["x-ratelimit-reset", "30"],
      ["x-why", "quota"],
      ["retry-after", "77"],
    ]);
  });

  it("refuse with 429 and an empty body when the document says nothing", () => {
    const { ask } = bench([compiled({ limit: 0 })]);
    expect(ask().refused).toMatchObject({ status: 429, body: "" });
  });
});

describe("a quota over the memory store", () => {
  it("lets exactly its limit pass, and the headers say so", () => {
    const [observer, store] = [recording(), createMemoryStore({ now: () => 90_000 })];
    const ledger = createLedger({ store, local: store, observer });
    const quotas = [compiled({ limit: 137 }), compiled({ limit: 1000, algorithm: "tokenBucket" }, "bucket")];
    const stage = createQuotaStage(quotas, { ledger, headers: "rateLimit", observer });
    const outcomes = Array.from({ length: 1000 }, () => stage.charge(asked()) as QuotaOutcome);
    expect(outcomes.filter(({ refused }) => refused === undefined)).toHaveLength(137);
    expect(outcomes[136]?.headers).toEqual([
      ["ratelimit-policy", '"per-user";q=137;w=60, "bucket";q=1000;w=60'],
      ["ratelimit", '"per-user";r=0;t=30, "bucket";r=863;t=9'],
    ]);
    expect(outcomes[999]?.headers).toContainEqual(["retry-after", "30"]);
  });
});

describe("a quota whose expression fails", () => {
  const dimensions = ["request.headers['x-user']"];

  it("is charged on its most general key, which all such requests share", () => {
    const { ask, told } = bench([compiled({ limit: 2, dimensions })]);
    expect(refusals(times(3, () => ask()))).toEqual([undefined, undefined, "shop/per-user"]);
    expect(told).toContain("failed shop/per-user dimensions");
    expect(ask(asked({ "x-user": "a" })).refused).toBeUndefined();
  });

  it("applies when nobody can tell whether it matches", () => {
    const { ask, told } = bench([
      compiled({ limit: 1, match: "request.headers['x-plan'] == 'free'", dimensions }),
    ]);
    expect(refusals(times(2, () => ask(asked({ "x-user": "a" }))))).toEqual([undefined, "shop/per-user"]);
    expect(told).toContain("failed shop/per-user match");
  });

  it("costs one unit when nobody can tell the cost, and no id makes it free", () => {
    const spec = {
      limit: 2,
      dimensions,
      cost: "int(request.headers['x-tokens'])",
      chargeId: "request.headers['x-id']",
    };
    const { ask, store, told } = bench([compiled(spec)]);
    for (const tokens of ["many", "-1", "1.5"]) {
      ask(asked({ "x-user": "a", "x-tokens": tokens, "x-id": "same" }));
    }
    expect([...store.used.values()]).toEqual([2]);
    expect([...store.used.keys()][0]).toMatch(/\*$/);
    expect(told.filter((line) => line === "failed shop/per-user cost")).toHaveLength(3);
  });

  it.each(["4294967296", "9007199254740993", "9223372036854775807"])(
    "never passes where it costs %s, more than any limit, which is not charged as 1",
    (length) => {
      const cost = "int(request.headers['content-length'])";
      const { ask, store } = bench([compiled({ limit: 2 ** 32 - 1, dimensions, cost })]);
      for (const user of [{ "x-user": "a" }, {}]) {
        expect(ask(asked({ ...user, "content-length": length })).refused?.reason).toBe("over_limit");
      }
      expect([...store.used.values()]).toEqual([]);
    },
  );

  it("is not remembered by its id where it costs nothing, so that ids do not fill the store for free", () => {
    const store = createMemoryStore({ now: () => 1e12, maxCounters: 10 });
    const ledger = createLedger({ store, local: fakeStore(), observer: recording() });
    const spec = { cost: "int(request.headers['x-tokens'])", chargeId: "request.headers['x-id']" };
    const stage = createQuotaStage([compiled(spec)], { ledger, headers: "none", observer: recording() });
    const ask = (id: string, tokens: string): boolean => {
      const outcome = stage.charge(asked({ "x-id": id, "x-tokens": tokens })) as QuotaOutcome;
      return outcome.refused === undefined;
    };
    for (let i = 0; i < 100; i++) expect(ask(`id-${i}`, "0")).toBe(true);
    expect(store.size).toBe(0);
    expect(["2", "2", "1", "1"].map((tokens) => ask("id-0", tokens))).toEqual([true, true, true, true]);
    expect(["a", "b"].map((id) => ask(id, "1"))).toEqual([true, false]);
  });

  it("costs what it costs where only the dimensions fail", () => {
    const { ask, store } = bench([
      compiled({ limit: 9, dimensions, cost: "int(request.headers['x-tokens'])" }),
    ]);
    ask(asked({ "x-tokens": "7" }));
    expect([...store.used.values()]).toEqual([7]);
  });

  it("uses its own allowance, never that of an override", () => {
    const overrides = [{ dimensions: { "request.headers['x-user']": "*" }, unlimited: true }];
    const { ask } = bench([compiled({ limit: 1, dimensions, overrides })]);
    expect(refusals(times(2, () => ask()))).toEqual([undefined, "shop/per-user"]);
  });
});

describe("a charge with an id", () => {
  const chargeId = "request.headers['idempotency-key']";

  it("is made once", () => {
    const { ask } = bench([compiled({ limit: 2, chargeId })]);
    const ids = ["x", "x", "x", "y", "z"].map((id) => ask(asked({ "idempotency-key": id })).refused?.reason);
    expect(ids).toEqual([undefined, undefined, undefined, undefined, "over_limit"]);
  });

  it("is made each time when there is no id, or an empty one", () => {
    const { ask, told } = bench([compiled({ limit: 2, chargeId })]);
    const empty = asked({ "idempotency-key": "" });
    const absent = bench([compiled({ limit: 2, chargeId })]);
    for (const outcomes of [times(3, () => ask(empty)), times(3, () => absent.ask())]) {
      expect(refusals(outcomes)).toEqual([undefined, undefined, "shop/per-user"]);
    }
    expect(absent.told).toContain("failed shop/per-user charge_id");
    expect(told).not.toContain("failed shop/per-user charge_id");
  });
});

describe("quotas whose store fails", () => {
  it("refuse with 503 and nothing that says more", () => {
    const { ask, store } = bench([
      compiled({ response: { body: "too many", headers: { "x-why": "quota" } } }),
    ]);
    store.fault = unavailable();
    expect(ask()).toEqual({
      refused: { quota: "shop/per-user", reason: "store_failed", status: 503, body: "" },
      headers: [],
      facts: [],
      dryRun: [],
      failedOpen: false,
    });
  });

  it("let pass what says so, and say that they did", () => {
    const { ask, store, told } = bench([compiled({ onStoreFailure: "allow" })], "rateLimit");
    expect(ask().failedOpen).toBe(false);
    store.fault = unavailable();
    expect(ask()).toMatchObject({ refused: undefined, headers: [], facts: [], failedOpen: true });
    expect(told).toContain("store shop/per-user allowed");
  });

  it("are answered for by the one that denies", () => {
    const quotas = [
      compiled({ onStoreFailure: "allow" }, "a"),
      compiled({ onStoreFailure: "local" }, "b"),
      compiled({}, "c"),
    ];
    const { ask, store } = bench(quotas);
    store.fault = unavailable();
    expect(ask()).toMatchObject({ refused: { quota: "shop/c", reason: "store_failed" }, failedOpen: false });
  });

  it("refuse with their own answer what this process counts as too much", () => {
    const { ask, store } = bench([compiled({ limit: 4, onStoreFailure: "local" })]);
    store.fault = unavailable();
    expect(times(3, ask).map(({ refused }) => refused?.status)).toEqual([undefined, undefined, 429]);
  });

  it("on trial let pass", () => {
    const { ask, store } = bench([compiled({ dryRun: true })]);
    store.fault = unavailable();
    expect(ask()).toMatchObject({
      refused: undefined,
      dryRun: [{ quota: "shop/per-user", result: "denied" }],
    });
  });
});

describe("a request that was refused before", () => {
  it("costs nothing unless a quota wants it", () => {
    expect(bench([compiled()]).stage.chargeRefused).toBeUndefined();
  });

  it("is charged to the quotas that want it, each by itself", () => {
    const quotas = [
      compiled({ limit: 1, chargesRefused: true }, "narrow"),
      compiled({ limit: 3, chargesRefused: true }, "wide"),
      compiled({ limit: 3 }, "other"),
    ];
    const { stage, store } = bench(quotas);
    for (let i = 0; i < 4; i++) stage.chargeRefused?.(asked());
    expect([...store.used.values()]).toEqual([1, 3]);
  });

  it("changes nothing when the store fails", () => {
    const { stage, store, told } = bench([compiled({ chargesRefused: true })]);
    store.fault = unavailable();
    stage.chargeRefused?.(asked());
    expect(told).toEqual(["store shop/per-user denied"]);
  });
});
