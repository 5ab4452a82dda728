import { describe, expect, it } from "vitest";
import {
  type CompiledQuota,
  createLedger,
  createQuotaDomains,
  createQuotaStage,
  type MappedState,
  type QuotaDomains,
  StoreError,
} from "../../../src/quota/index.js";
import { asked, compiled, type FakeStore, fakeStore, recording, unavailable } from "./quota-kit.js";

const dimensions = { user: "request.headers['x-user']", net: "request.headers['x-net']" };
const rateLimitService = { domain: "shop", descriptor: ["user", { key: "network", dimension: "net" }] };
const mapped = (spec: Readonly<Record<string, unknown>> = {}, name?: string): CompiledQuota =>
  compiled({ dimensions, rateLimitService, ...spec }, name);

interface Bench {
  readonly domains: QuotaDomains;
  readonly store: FakeStore;
  readonly told: string[];
  readonly ask: (...users: string[]) => readonly (MappedState | undefined)[];
}

const by = (user: string, hits = 1, isNegative = false) => ({
  entries: [
    { key: "user", value: user },
    { key: "network", value: "10.0.0.0/24" },
  ],
  hits,
  isNegative,
});

function bench(...quotas: CompiledQuota[]): Bench {
  const [store, observer] = [fakeStore(), recording()];
  const ledger = createLedger({ store, local: fakeStore(), observer });
  const domains = createQuotaDomains(quotas, { ledger, observer });
  return {
    domains,
    store,
    told: observer.told,
    ask: (...users) =>
      states(
        domains,
        users.map((user) => by(user)),
      ),
  };
}

function states(
  domains: QuotaDomains,
  descriptors: Parameters<QuotaDomains["charge"]>[1],
): readonly (MappedState | undefined)[] {
  const answer = domains.charge("shop", descriptors);
  if (answer instanceof Promise) throw new Error("expected states at once");
  return answer;
}

const allowed = (all: readonly (MappedState | undefined)[]): (boolean | undefined)[] =>
  all.map((state) => state?.allowed);

describe("quotas behind a domain", () => {
  it("are there where one is mapped", () => {
    const { domains } = bench(mapped(), compiled({}, "other"));
    expect(domains.has("shop")).toBe(true);
    expect(domains.has("constructor")).toBe(false);
    expect(domains.charge("unknown", [by("a")])).toEqual([undefined]);
  });

  it("count a descriptor with their keys in order, and no other", () => {
    const { ask, domains, store } = bench(mapped());
    expect(ask("alice")).toEqual([
      { quota: "shop/per-user", limit: 3, windowMs: 60_000, allowed: true, remaining: 2, resetMs: 29_500 },
    ]);
    const swapped = { ...by("alice"), entries: [...by("alice").entries].reverse() };
    const shorter = { ...by("alice"), entries: by("alice").entries.slice(0, 1) };
    expect(states(domains, [swapped, shorter, { ...shorter, entries: [] }])).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(store.calls).toHaveLength(1);
  });

  it("share their counters with the authorization call", async () => {
    const quota = mapped();
    const { ask, store } = bench(quota);
    const observer = recording();
    const ledger = createLedger({ store, local: fakeStore(), observer });
    const stage = createQuotaStage([quota], { ledger, headers: "none", observer });
    await stage.charge(asked({ "x-user": "alice", "x-net": "10.0.0.0/24" }));
    expect(ask("alice")[0]?.remaining).toBe(1);
  });

  it("look neither at match nor at cost, but at overrides", () => {
    const overrides = [
      { dimensions: { user: "root" }, unlimited: true },
      { dimensions: { user: "al*" }, limit: 50 },
    ];
    const { ask } = bench(mapped({ limit: 1, match: "false", cost: "9", overrides }));
    expect(ask("root", "alice", "bob").map((state) => state?.remaining)).toEqual([undefined, 49, 0]);
  });

  it("charge all descriptors of a call or none", () => {
    const { ask, store } = bench(mapped({ limit: 1 }));
    ask("bob");
    expect(allowed(ask("alice", "bob"))).toEqual([true, false]);
    expect([...store.used.values()]).toEqual([1]);
  });

  it("charge a counter that is asked for twice for both together", () => {
    const { domains, store } = bench(mapped());
    expect(allowed(states(domains, [by("a", 2), by("a", 2)]))).toEqual([false, false]);
    expect(allowed(states(domains, [by("a", 2), by("a", 1)]))).toEqual([true, true]);
    expect(store.calls.map((charges) => charges.map(({ cost }) => cost))).toEqual([[4], [3]]);
  });

  it("all apply, and the tightest is shown", () => {
    const { ask } = bench(mapped({ limit: 5 }, "wide"), mapped({ limit: 2 }, "narrow"));
    expect(ask("a")[0]).toMatchObject({ quota: "shop/narrow", remaining: 1 });
    ask("a");
    expect(ask("a")[0]).toMatchObject({ quota: "shop/narrow", allowed: false });
  });

  it("on trial are counted and not shown", () => {
    const { ask, told } = bench(mapped({ limit: 1, dryRun: true }));
    expect([...ask("a"), ...ask("a")]).toEqual([undefined, undefined]);
    expect(told).toEqual(["charged shop/per-user trial_allowed", "charged shop/per-user trial_refused"]);
  });

  it("look without counting for 0 hits", () => {
    const { domains, store } = bench(mapped());
    expect(states(domains, [by("a", 0)])[0]).toMatchObject({ allowed: true, remaining: 3 });
    expect([...store.used.values()]).toEqual([0]);
  });

  it("never let pass more hits than a quota can have", () => {
    const most = 4_294_967_295;
    const { domains } = bench(mapped({ limit: most }));
    for (const hits of [most + 1, 2 ** 60, -1, 1.5, Number.NaN]) {
      expect(allowed(states(domains, [by("a", hits)]))).toEqual([false]);
    }
    expect(allowed(states(domains, [by("a", most), by("a", 1)]))).toEqual([false, false]);
    expect(states(domains, [by("a", most)])[0]).toMatchObject({ allowed: true, limit: most });
  });

  it("get negative hits back, when all else passes", () => {
    const { domains, store } = bench(mapped());
    states(domains, [by("a", 3)]);
    expect(states(domains, [by("a", 2, true)])[0]).toMatchObject({ allowed: true, remaining: 2 });
    expect(states(domains, [by("b", 4), by("a", 1, true)])).toMatchObject([{ allowed: false }, undefined]);
    expect([...store.used.values()]).toEqual([1]);
  });

  it("throw what the store throws where a quota denies for it", async () => {
    const { ask, store } = bench(mapped());
    store.fault = unavailable();
    expect(() => ask("a")).toThrow(StoreError);
    const [waiting, observer] = [fakeStore({ waits: true }), recording()];
    waiting.fault = unavailable();
    const ledger = createLedger({ store: waiting, local: fakeStore(), observer });
    const answer = createQuotaDomains([mapped()], { ledger, observer }).charge("shop", [by("a")]);
    await expect(answer).rejects.toBeInstanceOf(StoreError);
  });

  it("do what else they say while the store fails", () => {
    const [open, local] = [
      bench(mapped({ onStoreFailure: "allow" })),
      bench(mapped({ onStoreFailure: "local" })),
    ];
    open.store.fault = unavailable();
    local.store.fault = unavailable();
    expect(open.ask("a")).toEqual([undefined]);
    expect([...local.ask("a"), ...local.ask("a")]).toMatchObject([{ allowed: true }, { allowed: false }]);
  });
});
