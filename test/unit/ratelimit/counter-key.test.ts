import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCounterKeys } from "../../../src/ratelimit/counter-key.js";
import type { Unit } from "../../../src/ratelimit/index.js";
import { unitSeconds, windowStart } from "../../../src/ratelimit/windows.js";
import { someTime } from "../../support/rate-limits.js";

type Entries = readonly { readonly key: string; readonly value: string }[];

interface Counter {
  readonly domain: string;
  readonly entries: Entries;
  readonly unit: Unit;
  readonly now: number;
}

const own = createCounterKeys({ keyPrefix: "", sharedKeys: false });
const shared = createCounterKeys({ keyPrefix: "p:", sharedKeys: true });
const units = Object.keys(unitSeconds) as Unit[];
const seconds = Math.floor(someTime / 1000);

function keyOf({ domain, entries, unit, now }: Counter, keys = own): string {
  return keys.key(keys.domainPart(domain), entries, undefined, unit, now);
}

const of = (...pairs: (readonly [string, string])[]): Entries =>
  pairs.map(([key, value]) => ({ key, value }));

describe("a counter's key", () => {
  const near = fc.string({ unit: fc.constantFrom("_", "\\", "a", "1", "#", ":", "0"), maxLength: 4 });
  const part = fc.oneof(
    near,
    near,
    fc.string({ unit: "binary", maxLength: 6 }),
    fc.string({ minLength: 250, maxLength: 270 }),
  );
  const counter: fc.Arbitrary<Counter> = fc.record({
    domain: part,
    entries: fc.array(fc.record({ key: part, value: part }), { maxLength: 3 }),
    unit: fc.constantFrom(...units),
    now: fc.oneof(
      fc.constantFrom(0, 59, 86_399, 86_400, 604_800, 2_592_000, 31_536_000),
      fc.nat(4_102_444_800),
    ),
  });
  const sameCounter = (a: Counter, b: Counter) =>
    JSON.stringify([a.domain, a.entries, a.unit, windowStart(a.unit, a.now)]) ===
    JSON.stringify([b.domain, b.entries, b.unit, windowStart(b.unit, b.now)]);

  it("is another one for every other domain, entries, unit and window", () => {
    fc.assert(
      fc.property(counter, counter, (a, b) => {
        expect(keyOf(a) === keyOf(b)).toBe(sameCounter(a, b));
      }),
      { numRuns: 3000 },
    );
  });

  it("is another one where the same text is cut into parts at another place", () => {
    const cuts = fc.tuple(
      near,
      fc.array(fc.nat(12), { maxLength: 5 }),
      fc.array(fc.nat(12), { maxLength: 5 }),
    );
    const cutAt = (text: string, places: readonly number[]): Counter => {
      const sorted = [...places].sort((a, b) => a - b);
      const parts = [...sorted, text.length].map((end, i) => text.slice(sorted[i - 1] ?? 0, end));
      const [domain = "", ...rest] = parts;
      const entries = rest.flatMap((key, i) => (i % 2 === 0 ? [{ key, value: rest[i + 1] ?? "" }] : []));
      return { domain, entries, unit: "HOUR", now: seconds };
    };
    fc.assert(
      fc.property(cuts, ([text, one, other]) => {
        const [a, b] = [cutAt(text.repeat(3), one), cutAt(text.repeat(3), other)];
        expect(keyOf(a) === keyOf(b)).toBe(sameCounter(a, b));
      }),
      { numRuns: 3000 },
    );
  });

  it("is another one for all units whose windows begin together", () => {
    const keys = units.map((unit) => keyOf({ domain: "d", entries: of(["k", "v"]), unit, now: 0 }));
    expect(new Set(keys).size).toBe(units.length);
    expect(keys.at(-1)).toMatch(/^d_k_v_0$|^d_k_v_0:/);
  });

  it("is the peer's own where nothing had to be escaped", () => {
    for (const unit of ["HOUR", "DAY", "WEEK", "MONTH", "YEAR"] as const) {
      const one: Counter = {
        domain: "edge",
        entries: of(["client", "a.b-c/d é"], ["k", ""]),
        unit,
        now: seconds,
      };
      expect(keyOf(one)).toBe(`edge_client_a.b-c/d é_k__${windowStart(unit, seconds)}`);
      expect(keyOf(one, shared)).toBe(`p:${keyOf(one)}`);
    }
  });

  it("says at the start of a longer window which unit it is of", () => {
    const midnight = windowStart("DAY", seconds);
    const one = (unit: Unit) => keyOf({ domain: "d", entries: of(["k", "v"]), unit, now: midnight });
    expect(one("DAY")).toBe(`d_k_v_${midnight}`);
    expect(one("HOUR")).toBe(`d_k_v_${midnight}:HOUR`);
    expect(one("SECOND")).toBe(`d_k_v_${midnight}:SECOND`);
  });

  it("stays short whatever the caller sends, and tells long values apart", () => {
    const long = (text: string): Counter => ({
      domain: "d",
      entries: of(["k", text]),
      unit: "HOUR",
      now: seconds,
    });
    const [one, other] = [long("_".repeat(1_000_000)), long(`${"_".repeat(999_999)}x`)];
    expect(keyOf(one).length).toBeLessThan(100);
    expect(keyOf(one)).not.toBe(keyOf(other));
    const hash = keyOf(one).split("_")[2] ?? "";
    expect(keyOf(long(hash))).not.toBe(keyOf(one));
  });

  it("is the peer's with shared keys, with all that is alike there", () => {
    const of_ = (domain: string, ...pairs: (readonly [string, string])[]) =>
      keyOf({ domain, entries: of(...pairs), unit: "HOUR", now: seconds }, shared);
    expect(of_("d", ["a_b", "c"])).toBe(of_("d", ["a", "b_c"]));
    expect(of_("x", ["y_k", "v"])).toBe(of_("x_y", ["k", "v"]));
    expect(of_("d", ["k", "v".repeat(1000)])).toContain("v".repeat(1000));
  });
});
