import { describe, expect, it } from "vitest";
import { chargeOfValues } from "../../../src/quota/charges.js";
import {
  type Charge,
  type CompiledQuota,
  createLedger,
  createMemoryStore,
} from "../../../src/quota/index.js";
import { compiled, type FakeStore, fakeStore, recording, unavailable } from "./quota-kit.js";

const chargeOf = (quota: CompiledQuota, units = 1): Charge => {
  const made = chargeOfValues(quota, [], units);
  if (made === undefined) throw new Error("expected a charge");
  return made.charge;
};

const quotas = {
  denies: compiled({ limit: 10 }, "denies"),
  allows: compiled({ limit: 10, onStoreFailure: "allow" }, "allows"),
  counts: compiled({ limit: 10, onStoreFailure: "local", localShare: 0.5 }, "counts"),
  trial: compiled({ limit: 10, dryRun: true }, "trial"),
};

function broken(processes?: number): {
  readonly local: FakeStore;
  readonly told: string[];
  readonly ask: (...asked: CompiledQuota[]) => ReturnType<ReturnType<typeof createLedger>["charge"]>;
} {
  const [store, local, observer] = [fakeStore(), fakeStore(), recording()];
  store.fault = unavailable();
  const ledger = createLedger({ store, local, observer, ...(processes !== undefined && { processes }) });
  return {
    local,
    told: observer.told,
    ask: (...asked) =>
      ledger.charge(
        asked,
        asked.map((quota) => chargeOf(quota)),
      ),
  };
}

describe("a ledger", () => {
  it.each([
    ["at once", <Value>(value: Value) => value],
    ["later", <Value>(value: Value) => Promise.resolve(value)],
  ] as const)("takes an answer that leaves out a counter for a failure, %s", async (_, answered) => {
    const store = { ...fakeStore(), charge: () => answered({ allowed: true, counters: [], atMs: 0 }) };
    const ledger = createLedger({ store, local: fakeStore(), observer: recording() });
    const { allowed, failure } = await ledger.charge([quotas.denies], [chargeOf(quotas.denies)]);
    expect([allowed, failure?.fates]).toEqual([false, ["denied"]]);
  });

  it("charges all quotas of a request in one call of the store", () => {
    const store = fakeStore();
    const ledger = createLedger({ store, local: fakeStore(), observer: recording() });
    const asked = [quotas.denies, quotas.allows];
    const result = ledger.charge(asked, [chargeOf(quotas.denies), chargeOf(quotas.allows)]);
    expect(result).toMatchObject({ allowed: true, failure: undefined });
    expect(store.calls).toHaveLength(1);
  });

  it("answers at once where the store does, and by a promise where it does", async () => {
    for (const waits of [false, true]) {
      const ledger = createLedger({ store: fakeStore({ waits }), local: fakeStore(), observer: recording() });
      const answer = ledger.charge([quotas.denies], [chargeOf(quotas.denies)]);
      expect(answer instanceof Promise).toBe(waits);
      expect(await answer).toMatchObject({ allowed: true });
    }
  });

  it("refuses while the store fails, unless a quota says otherwise", () => {
    const { told, ask, local } = broken();
    expect(ask(quotas.denies)).toMatchObject({ allowed: false, counters: [undefined] });
    expect(told).toEqual(["store shop/denies denied"]);
    expect(local.calls).toEqual([]);
  });

  it("refuses by a promise that is rejected, too", async () => {
    const [store, observer] = [fakeStore({ waits: true }), recording()];
    store.fault = unavailable();
    const ledger = createLedger({ store, local: fakeStore({ waits: true }), observer });
    const asked = [quotas.counts];
    expect(await ledger.charge(asked, [chargeOf(quotas.counts)])).toMatchObject({
      allowed: true,
      failure: { fates: ["local"] },
    });
    expect(await ledger.charge([quotas.denies], [chargeOf(quotas.denies)])).toMatchObject({ allowed: false });
  });

  it("takes an error of any kind for a failure", () => {
    const store = fakeStore();
    store.fault = new TypeError("unexpected");
    const ledger = createLedger({ store, local: fakeStore(), observer: recording() });
    expect(ledger.charge([quotas.denies], [chargeOf(quotas.denies)])).toMatchObject({ allowed: false });
  });

  it("lets pass what says `allow`, and counts it nowhere", () => {
    const { told, ask, local } = broken();
    expect(ask(quotas.allows)).toMatchObject({ allowed: true, counters: [undefined] });
    expect(told).toEqual(["store shop/allows allowed"]);
    expect(local.calls).toEqual([]);
  });

  it("counts what says `local` in this process, with its part of the limit", () => {
    const { ask } = broken();
    const allowed = Array.from({ length: 7 }, () => ask(quotas.counts)).map(
      (result) => !(result instanceof Promise) && result.allowed,
    );
    expect(allowed).toEqual([true, true, true, true, true, false, false]);
  });

  it("divides that part by the processes that count, and leaves at least one unit", () => {
    const [five, hundred] = [broken(5), broken(100)];
    five.ask(quotas.counts);
    hundred.ask(quotas.counts);
    expect(five.local.calls[0]?.[0]).toMatchObject({ limit: 1, burst: 1 });
    expect(hundred.local.calls[0]?.[0]).toMatchObject({ limit: 1, burst: 1 });
    const none = compiled({ limit: 0, onStoreFailure: "local" }, "none");
    const { ask, local } = broken();
    expect(ask(none)).toMatchObject({ allowed: false });
    expect(local.calls[0]?.[0]).toMatchObject({ limit: 0, burst: 0 });
  });

  it("lets each quota do its own when they differ", () => {
    const { told, ask } = broken();
    const results = Array.from({ length: 6 }, () => ask(quotas.allows, quotas.counts));
    expect(results[0]).toMatchObject({ allowed: true, failure: { fates: ["allowed", "local"] } });
    expect(results[5]).toMatchObject({ allowed: false, counters: [undefined, { allowed: false }] });
    expect(told.slice(0, 2)).toEqual(["store shop/allows allowed", "store shop/counts local"]);
  });

  it("counts nothing locally when another quota denies", () => {
    const { told, ask, local } = broken();
    expect(ask(quotas.counts, quotas.denies)).toMatchObject({ allowed: false });
    expect(local.calls).toEqual([]);
    expect(told).toEqual(["store shop/denies denied"]);
  });

  it("is not stopped by a quota on trial", () => {
    const { ask } = broken();
    expect(ask(quotas.trial, quotas.allows)).toMatchObject({
      allowed: true,
      failure: { fates: ["denied", "allowed"] },
    });
  });

  it("refuses when this process cannot count either", () => {
    const { told, ask, local } = broken();
    local.fault = unavailable();
    expect(ask(quotas.counts)).toMatchObject({ allowed: false, failure: { fates: ["denied"] } });
    expect(told).toEqual(["store shop/counts denied"]);
  });

  it("gives back, and says how the counters stand then", async () => {
    for (const waits of [false, true]) {
      const store = fakeStore({ waits });
      const ledger = createLedger({ store, local: fakeStore(), observer: recording() });
      await ledger.charge([quotas.denies], [chargeOf(quotas.denies, 8)]);
      const given = await ledger.refund([quotas.denies], [chargeOf(quotas.denies, 3)]);
      expect(given).toMatchObject({ allowed: true, counters: [{ remaining: 5 }] });
    }
  });
});

describe("a ledger, of what was used already", () => {
  const units = (quota: CompiledQuota, cost: number): Charge => ({ ...chargeOf(quota), cost });

  it("counts it beyond the limit, and says which counter was overdrawn", () => {
    const store = fakeStore();
    const ledger = createLedger({ store, local: fakeStore(), observer: recording() });
    const debits = [units(quotas.denies, 12), units(quotas.allows, 10)];
    expect(ledger.debit([quotas.denies, quotas.allows], debits)).toMatchObject({
      counters: [
        { allowed: false, remaining: 0 },
        { allowed: true, remaining: 0 },
      ],
      failure: undefined,
    });
    expect(ledger.charge([quotas.denies], [units(quotas.denies, 1)])).toMatchObject({ allowed: false });
  });

  it.each([false, true])(
    "counts it locally while the store fails, where a quota wants that",
    async (waits) => {
      const [store, local, observer] = [fakeStore({ waits }), fakeStore({ waits }), recording()];
      store.fault = unavailable();
      const ledger = createLedger({ store, local, observer });
      await ledger.debit([quotas.counts], [units(quotas.counts, 3)]);
      await ledger.debit([quotas.denies], [units(quotas.denies, 3)]);
      expect([...local.used.values()]).toEqual([3]);
      expect(observer.told).toEqual(["store shop/counts local", "store shop/denies denied"]);
    },
  );

  it("gives back what was charged a while ago only where that is counted still", async () => {
    let now = Date.UTC(2026, 10, 21, 12, 0, 59, 500);
    const store = createMemoryStore({ now: () => now });
    const ledger = createLedger({ store, local: fakeStore(), observer: recording() });
    const quota = compiled({ limit: 10, algorithm: "fixedWindow", window: "1m" }, "fixed");
    const left = (): number | undefined => store.look([units(quota, 0)])[0]?.remaining;
    await ledger.charge([quota], [units(quota, 8)]);
    now += 100;
    await ledger.refund([quota], [units(quota, 3)], 100);
    expect(left()).toBe(5);
    now += 1_000;
    await ledger.charge([quota], [units(quota, 8)]);
    await ledger.refund([quota], [units(quota, 5)], 1_100);
    expect(left()).toBe(2);
    await ledger.refund([quota], [units(quota, 5)], 100);
    expect(left()).toBe(7);
  });
});
