import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Algorithm,
  type Charge,
  type CompiledQuota,
  chargeFor,
  createLedger,
  createMemoryStore,
  createQuotaStage,
  type Ledger,
  type MemoryStore,
  settle,
} from "../../../src/quota/index.js";
import { asked, compiled, fakeStore, recording, unavailable } from "./quota-kit.js";

const start = Date.UTC(2026, 10, 21, 12, 0, 30);

interface Counted {
  readonly clock: { now: number };
  readonly store: MemoryStore;
  readonly ledger: Ledger;
}

function counted(): Counted {
  const clock = { now: start };
  const store = createMemoryStore({ now: () => clock.now });
  const ledger = createLedger({ store, local: fakeStore(), observer: recording() });
  return { clock, store, ledger };
}

const left = ({ store }: Counted, quota: CompiledQuota, ...values: string[]): number | undefined => {
  const names = quota.quota.dimensions.map(({ name }, i) => [name, values[i] ?? ""] as const);
  const charge = chargeFor(quota, new Map(names)) as Charge;
  return store.look([{ ...charge, cost: 0 }])[0]?.remaining;
};

const limits = { limit: 100, algorithm: "fixedWindow", window: "1h" };
const byUser = { ...limits, dimensions: ["request.headers['x-user']"] };
const request = asked({ "x-user": "ann" });

async function passOne(of: Counted, quota: CompiledQuota, one = request): Promise<boolean> {
  const stage = createQuotaStage([quota], { ledger: of.ledger, observer: recording(), headers: "none" });
  return (await stage.charge(one)).refused === undefined;
}

describe("settling what a request used", () => {
  it.each([
    [30, "taken", 70],
    [10, "even", 90],
    [0, "given_back", 100],
    [9.2, "even", 90],
    [100, "taken", 0],
    [101, "overdrawn", 0],
    [4, "given_back", 96],
  ])("of %f units, 10 of them reserved, is %s, and %i are left", async (units, settlement, remaining) => {
    const of = counted();
    const quota = compiled({ ...byUser, cost: "10" });
    await passOne(of, quota);
    expect(await settle(quota, { request, reserved: 10, units, agoMs: 0 }, of)).toBe(settlement);
    expect(left(of, quota, "ann")).toBe(remaining);
    expect(left(of, quota, "bob")).toBe(100);
  });

  it("keeps a caller out until what it owes is over, and nobody else", async () => {
    const of = counted();
    const quota = compiled({ ...byUser, algorithm: "tokenBucket", cost: "0" });
    expect(await passOne(of, quota)).toBe(true);
    await settle(quota, { request, reserved: 0, units: 250, agoMs: 0 }, of);
    expect(await passOne(of, quota)).toBe(false);
    expect(await passOne(of, quota, asked({ "x-user": "bob" }))).toBe(true);
    of.clock.now += 3_600_000;
    expect(await passOne(of, quota)).toBe(false);
    of.clock.now += 1_800_000;
    expect(await passOne(of, quota)).toBe(true);
  });

  it("gives nothing back into a window in which it was not charged", async () => {
    const of = counted();
    const quota = compiled({ ...byUser, window: "1m", cost: "50" });
    await passOne(of, quota);
    of.clock.now += 40_000;
    await passOne(of, quota);
    await settle(quota, { request, reserved: 50, units: 1, agoMs: 40_000 }, of);
    expect(left(of, quota, "ann")).toBe(50);
    await settle(quota, { request, reserved: 50, units: 1, agoMs: 0 }, of);
    expect(left(of, quota, "ann")).toBe(99);
  });

  it("does not count a request that the quota does not", async () => {
    const of = counted();
    const posts = compiled({ ...byUser, match: "request.method == 'POST'" });
    const free = compiled({
      ...byUser,
      overrides: [{ dimensions: { "request.headers['x-user']": "ann" }, unlimited: true }],
    });
    for (const quota of [posts, free]) {
      expect(await settle(quota, { request, reserved: 0, units: 5, agoMs: 0 }, of)).toBe("uncounted");
      expect(of.store.size).toBe(0);
    }
  });

  it("settles each exchange, though a charge id is the same", async () => {
    const of = counted();
    const quota = compiled({ ...byUser, chargeId: "'order'" });
    for (let i = 0; i < 2; i++) await settle(quota, { request, reserved: 1, units: 11, agoMs: 0 }, of);
    expect(left(of, quota, "ann")).toBe(80);
  });

  it("takes the quota's own cost as reserved while it is on trial", async () => {
    const of = counted();
    const quota = compiled({ ...byUser, dryRun: true, cost: "10" });
    await passOne(of, quota);
    expect(await settle(quota, { request, reserved: 0, units: 25, agoMs: 0 }, of)).toBe("taken");
    expect(left(of, quota, "ann")).toBe(75);
  });

  it("counts a caller that nobody can tell on the general key, more than any charge can be as the most", async () => {
    const of = counted();
    const quota = compiled({ ...byUser, limit: 4294967295 });
    const unknown = asked({});
    expect(await settle(quota, { request: unknown, reserved: 0, units: 1e300, agoMs: 0 }, of)).toBe("taken");
    expect(
      of.store.look([
        {
          ...(chargeFor(quota, new Map([["request.headers['x-user']", ""]])) as Charge),
          key: quota.generalKey,
          cost: 0,
        },
      ])[0]?.remaining,
    ).toBe(0);
  });

  it.each([false, true])("is lost where nobody can count, and told once by the ledger", async (waits) => {
    const [store, observer] = [fakeStore({ waits }), recording()];
    store.fault = unavailable();
    const ledger = createLedger({ store, local: fakeStore(), observer });
    const quota = compiled(byUser);
    expect(await settle(quota, { request, reserved: 0, units: 5, agoMs: 0 }, { ledger })).toBe("lost");
    expect(await settle(quota, { request, reserved: 9, units: 5, agoMs: 0 }, { ledger })).toBe("lost");
    expect(observer.told).toEqual(Array.from({ length: 2 }, () => `store ${quota.id} denied`));
  });

  it("leaves counters at the sum of what was used, in whatever order exchanges begin and end", async () => {
    const exchange = fc.record({
      user: fc.constantFrom("ann", "bob"),
      units: fc.nat(300),
      lasts: fc.nat(5),
    });
    const property = fc.asyncProperty(
      fc.constantFrom<Algorithm>("fixedWindow", "slidingWindow", "tokenBucket"),
      fc.nat(20),
      fc.array(exchange, { maxLength: 20 }),
      async (algorithm, reserve, exchanges) => {
        const of = counted();
        const quota = compiled({
          ...byUser,
          algorithm,
          window: "36500d",
          limit: 100_000,
          cost: String(reserve),
        });
        const ends = exchanges.flatMap((one, i) => [
          { at: i, one, isEnd: false },
          { at: i + one.lasts, one, isEnd: true },
        ]);
        for (const { one, isEnd } of ends.sort((a, b) => a.at - b.at || Number(a.isEnd) - Number(b.isEnd))) {
          const by = asked({ "x-user": one.user });
          of.clock.now += 7;
          if (isEnd)
            await settle(
              quota,
              { request: by, reserved: reserve, units: one.units, agoMs: 7 * one.lasts },
              of,
            );
          else expect(await passOne(of, quota, by)).toBe(true);
        }
        for (const user of ["ann", "bob"]) {
          const sum = exchanges.reduce((total, one) => total + (one.user === user ? one.units : 0), 0);
          expect(left(of, quota, user)).toBe(100_000 - sum);
        }
      },
    );
    await fc.assert(property, { numRuns: 100 });
  });
});
