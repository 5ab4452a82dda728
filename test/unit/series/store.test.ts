import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createSeriesStore,
  type FamilyDefinition,
  type SeriesMetric,
  type SeriesStore,
} from "../../../src/series/index.js";

const definition = (changes: Partial<FamilyDefinition> = {}): FamilyDefinition => ({
  name: "things_total",
  help: "Things.",
  labels: ["a", "b"],
  expiryMs: undefined,
  maxValues: 100,
  maxSeries: 100,
  ...changes,
});

function metricOf(store: SeriesStore, name = "things_total"): SeriesMetric | undefined {
  return (store.values() as unknown as SeriesMetric[]).find((metric) => metric.name === name);
}

/** Series by their labels. */
function rowsOf(store: SeriesStore, name = "things_total"): Record<string, number> {
  const rows = metricOf(store, name)?.rows ?? [];
  return Object.fromEntries(
    rows.map(({ labels, value, expired }) => [`${labels}${expired ? " expired" : ""}`, value]),
  );
}

function aStore(): { store: SeriesStore; pass: (ms: number) => void } {
  let now = 1_000_000;
  const pass = (ms: number): void => {
    now += ms;
  };
  return { store: createSeriesStore({ now: () => now }), pass };
}

describe("a counter", () => {
  it("adds up by labels", () => {
    const { store } = aStore();
    const counter = store.counter(definition());
    counter.add(["x", "y"], 1);
    counter.add(["x", "y"], 2.5);
    counter.add(["x", "z"], 1);
    expect(rowsOf(store)).toEqual({ "x,y": 3.5, "x,z": 1 });
  });

  it("does not keep the values it was given", () => {
    const { store } = aStore();
    const values = ["x", "y"];
    const counter = store.counter(definition());
    const held = counter.at(values);
    counter.add(values, 1);
    values[0] = "z";
    held.add(1);
    expect(rowsOf(store)).toEqual({ "x,y": 2 });
  });

  it("never falls and never becomes what is no number", () => {
    const { store } = aStore();
    const counter = store.counter(definition());
    counter.add(["x", "y"], 1);
    for (const by of [-1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      counter.add(["x", "y"], by);
      counter.at(["x", "y"]).add(by);
    }
    expect(rowsOf(store)).toEqual({ "x,y": 1 });
  });

  it("takes missing values for empty ones and ignores those beyond its labels", () => {
    const { store } = aStore();
    const counter = store.counter(definition());
    counter.add(["x"], 1);
    counter.add(["x", "", "more"], 1);
    expect(rowsOf(store)).toEqual({ "x,": 2 });
  });

  it("takes halves of characters, which are the same text as UTF-8, for one value", () => {
    const { store } = aStore();
    const counter = store.counter(definition());
    counter.add(["\ud800", "y"], 1);
    counter.add(["\ud801", "y"], 1);
    expect(rowsOf(store)).toEqual({ "\ufffd,y": 2 });
  });
});

describe("a gauge", () => {
  it("is set and changed", () => {
    const { store } = aStore();
    const gauge = store.gauge(definition());
    gauge.set(["x", "y"], 5);
    gauge.add(["x", "y"], -7);
    gauge.set(["x", "z"], Number.NaN);
    expect(rowsOf(store)).toEqual({ "x,y": -2 });
  });

  it("leaves nothing behind when it expires: an old value is not added to anybody's", () => {
    const { store, pass } = aStore();
    store.gauge(definition({ expiryMs: 1000 })).set(["x", "y"], 5);
    pass(1001);
    expect(rowsOf(store)).toEqual({});
  });
});

describe("a histogram", () => {
  it("counts each value in the first bucket that holds it", () => {
    const { store } = aStore();
    const histogram = store.histogram(definition({ name: "sizes" }), [1, 10]);
    for (const value of [0, 1, 1.5, 10, 11]) histogram.observe(["x", "y"], value);
    histogram.at(["x", "y"]).observe(2);
    histogram.observe(["x", "y"], Number.NaN);
    expect(metricOf(store, "sizes")).toMatchObject({
      bounds: [1, 10],
      rows: [{ labels: ["x", "y"], value: 25.5, buckets: [2, 3, 1] }],
    });
  });

  it("sorts its bounds and takes each once", () => {
    const { store } = aStore();
    const histogram = store.histogram(definition({ name: "sizes" }), [10, 1, 10, Number.POSITIVE_INFINITY]);
    histogram.observe(["x", "y"], 5);
    expect(metricOf(store, "sizes")).toMatchObject({ bounds: [1, 10], rows: [{ buckets: [0, 1, 0] }] });
  });
});

describe("the bounds of a family", () => {
  it("make a label's values beyond its own `other`, and count that", () => {
    const { store } = aStore();
    const counter = store.counter(definition({ maxValues: 2 }));
    for (const value of ["1", "2", "3", "4", "1"]) counter.add([value, "y"], 1);
    expect(rowsOf(store)).toEqual({ "1,y": 2, "2,y": 1, "other,y": 2 });
    expect(rowsOf(store, "gatehouse_series_limited_total")).toEqual({ "things_total,a": 2 });
  });

  it("can be a single label's own", () => {
    const { store } = aStore();
    const counter = store.counter(definition({ maxValuesOf: new Map([["b", 1]]) }));
    for (const value of ["1", "2", "3"]) counter.add([value, value], 1);
    expect(rowsOf(store)).toEqual({ "1,1": 1, "2,other": 1, "3,other": 1 });
  });

  it("make series beyond the family's `other` in every label, and count that", () => {
    const { store } = aStore();
    const counter = store.counter(definition({ maxSeries: 2 }));
    for (const value of ["1", "2", "3", "4", "1"]) counter.add([value, "y"], 1);
    expect(rowsOf(store)).toEqual({ "1,y": 2, "2,y": 1, "other,other": 2 });
    expect(rowsOf(store, "gatehouse_series_limited_total")).toEqual({ "things_total,*": 2 });
  });

  it("hold for a series that was found before it had room", () => {
    const { store, pass } = aStore();
    const counter = store.counter(definition({ maxValues: 1, expiryMs: 10_000 }));
    counter.add(["1", "y"], 1);
    const held = counter.at(["2", "y"]);
    held.add(1);
    held.add(1);
    expect(rowsOf(store, "gatehouse_series_limited_total")).toEqual({ "things_total,a": 2 });
    pass(10_001);
    held.add(1);
    expect(rowsOf(store)).toEqual({ "2,y": 1, "1,y expired": 1, "other,y expired": 2 });
  });

  it("make values that are very long `other`, instead of cutting two to one", () => {
    const { store } = aStore();
    const counter = store.counter(definition());
    counter.add(["x".repeat(256), "y"], 1);
    counter.add([`${"x".repeat(256)}1`, "y"], 1);
    counter.add([`${"x".repeat(256)}2`, "y"], 1);
    expect(rowsOf(store)).toEqual({ [`${"x".repeat(256)},y`]: 1, "other,y": 2 });
  });
});

describe("expiry", () => {
  it("ends a series that got nothing, marks what it was, and goes on there when it comes back", () => {
    const { store, pass } = aStore();
    const counter = store.counter(definition({ expiryMs: 1000 }));
    const held = counter.at(["x", "y"]);
    held.add(5);
    pass(1000);
    expect(rowsOf(store)).toEqual({ "x,y": 5 });
    pass(1);
    expect(rowsOf(store)).toEqual({ "x,y expired": 5 });
    expect(store.size()).toBe(0);
    expect(rowsOf(store, "gatehouse_series_expired_total")).toEqual({ things_total: 1 });
    held.add(1);
    expect(rowsOf(store)).toEqual({ "x,y": 6 });
  });

  it("never ends a series that goes on, held or not", () => {
    const { store, pass } = aStore();
    const counter = store.counter(definition({ expiryMs: 1000 }));
    const held = counter.at(["1", "y"]);
    for (let i = 0; i < 5; i++) {
      pass(900);
      held.add(1);
      counter.add(["2", "y"], 1);
      expect(rowsOf(store)).toEqual({ "1,y": i + 1, "2,y": i + 1 });
    }
  });

  it("gives room back, without a scrape too", () => {
    const { store, pass } = aStore();
    const counter = store.counter(definition({ expiryMs: 10_000, maxValues: 2 }));
    counter.add(["1", "y"], 1);
    counter.add(["2", "y"], 1);
    pass(10_001);
    counter.add(["3", "y"], 1);
    expect(rowsOf(store)).toMatchObject({ "3,y": 1 });
    expect(rowsOf(store, "gatehouse_series_limited_total")).toEqual({});
  });

  it("keeps a label's value as long as one series uses it", () => {
    const { store, pass } = aStore();
    const counter = store.counter(definition({ expiryMs: 10_000, maxValues: 2 }));
    counter.add(["1", "x"], 1);
    pass(6000);
    counter.add(["1", "y"], 1);
    pass(6000);
    store.values();
    counter.add(["2", "y"], 1);
    counter.add(["3", "y"], 1);
    expect(rowsOf(store)).toEqual({ "1,x expired": 1, "1,y": 1, "2,y": 1, "other,y": 1 });
  });

  it("keeps no more expired series than there may be series", () => {
    const { store, pass } = aStore();
    const counter = store.counter(definition({ expiryMs: 1000, maxSeries: 3 }));
    for (let i = 0; i < 30; i++) {
      counter.add([`${i}`, "y"], 1);
      pass(1001);
      store.values();
    }
    expect(rowsOf(store)).toEqual({ "27,y expired": 1, "28,y expired": 1, "29,y expired": 1 });
  });
});

describe("a new configuration", () => {
  it("with the same definition resets nothing", () => {
    const { store } = aStore();
    store.counter(definition()).add(["x", "y"], 1);
    store.counter(definition()).add(["x", "y"], 1);
    expect(rowsOf(store)).toEqual({ "x,y": 2 });
  });

  it("with other bounds or another text resets nothing either", () => {
    const { store } = aStore();
    store.counter(definition({ maxValues: 1 })).add(["1", "y"], 1);
    store.counter(definition({ maxValues: 2, help: "New." })).add(["2", "y"], 1);
    expect(rowsOf(store)).toEqual({ "1,y": 1, "2,y": 1 });
    expect(metricOf(store)?.help).toBe("New.");
  });

  it.each([
    ["labels", (store: SeriesStore) => store.counter(definition({ labels: ["a", "c"] }))],
    ["type", (store: SeriesStore) => store.gauge(definition())],
    ["buckets", (store: SeriesStore) => store.histogram(definition(), [1, 2, 3])],
  ])("with another definition (%s) replaces that family and no other", (_, define) => {
    const { store } = aStore();
    store.histogram(definition(), [1, 2]).observe(["x", "y"], 1);
    store.counter(definition({ name: "others_total" })).add(["x", "y"], 1);
    define(store);
    expect(rowsOf(store)).toEqual({});
    expect(rowsOf(store, "others_total")).toEqual({ "x,y": 1 });
  });

  it("forgets a metric that is gone, and what still counts into it harms nobody", () => {
    const { store } = aStore();
    const counter = store.counter(definition());
    const held = counter.at(["x", "y"]);
    held.add(1);
    store.counter(definition({ name: "others_total" })).add(["x", "y"], 1);
    store.retain(new Set(["others_total"]));
    held.add(1);
    counter.add(["x", "z"], 1);
    expect(rowsOf(store)).toEqual({});
    expect(rowsOf(store, "others_total")).toEqual({ "x,y": 1 });
    expect(store.size()).toBe(1);
  });

  it("forgets a variant that nobody asked for since the configuration before", () => {
    const { store } = aStore();
    const names = new Set(["things_total"]);
    store.counter(definition()).add(["x", "y"], 1);
    store.counter(definition({ variant: "c", labels: ["a", "b", "c"] })).add(["x", "y", "z"], 1);
    store.retain(names);
    expect(store.size()).toBe(2);
    store.retain(names);
    expect(rowsOf(store)).toEqual({ "x,y": 1 });
  });
});

/** Values that look like each other's joins. */
const awkward = fc.constantFrom(
  "",
  "a",
  "b",
  ",",
  ":",
  "1:",
  "1:a",
  "a1:",
  "other",
  "__proto__",
  "\n",
  "é",
  "\u0000",
);
const tuples = fc.array(fc.tuple(awkward, awkward), { maxLength: 60 });

describe("whatever the values are", () => {
  it("no add is lost", () => {
    fc.assert(
      fc.property(tuples, fc.nat(4), fc.nat(6), fc.boolean(), (adds, maxValues, maxSeries, isHeld) => {
        const { store } = aStore();
        const counter = store.counter(definition({ maxValues, maxSeries }));
        for (const values of adds) {
          if (isHeld) counter.at(values).add(1);
          else counter.add(values, 1);
        }
        const rows = metricOf(store)?.rows ?? [];
        expect(rows.reduce((sum, { value }) => sum + value, 0)).toBe(adds.length);
        expect(rows.length).toBeLessThanOrEqual(maxSeries + 1);
        for (const label of [0, 1]) {
          const values = new Set(rows.map(({ labels }) => labels[label] ?? ""));
          expect([...values].filter((value) => !["", "other"].includes(value)).length).toBeLessThanOrEqual(
            maxValues,
          );
        }
      }),
    );
  });

  it("no add is lost when series expire in between", () => {
    fc.assert(
      fc.property(tuples, fc.integer({ min: 20, max: 200 }), (adds, maxSeries) => {
        const { store, pass } = aStore();
        const counter = store.counter(definition({ maxSeries: maxSeries * 9, expiryMs: 1000 }));
        adds.forEach((values, i) => {
          counter.add(values, 1);
          pass(i % 3 === 0 ? 600 : 0);
          if (i % 5 === 0) store.values();
        });
        const rows = metricOf(store)?.rows ?? [];
        expect(rows.reduce((sum, { value }) => sum + value, 0)).toBe(adds.length);
      }),
    );
  });

  it("within the bounds each tuple has its own series", () => {
    fc.assert(
      fc.property(tuples, (adds) => {
        const { store } = aStore();
        const counter = store.counter(definition({ maxSeries: 1000 }));
        const expected = new Map<string, number>();
        for (const values of adds) {
          counter.add(values, 1);
          const key = JSON.stringify(values);
          expected.set(key, (expected.get(key) ?? 0) + 1);
        }
        const rows = metricOf(store)?.rows ?? [];
        expect(new Map(rows.map(({ labels, value }) => [JSON.stringify(labels), value]))).toEqual(expected);
      }),
    );
  });

  it("100,000 different ones hold no more series than the bound", () => {
    const { store } = aStore();
    const counter = store.counter(definition({ maxValues: 50, maxSeries: 80, expiryMs: 60_000 }));
    for (let i = 0; i < 100_000; i++) counter.add([`caller ${i}`, `host ${i % 60}`], 1);
    expect(store.size()).toBeLessThanOrEqual(81);
    const rows = metricOf(store)?.rows ?? [];
    expect(rows.reduce((sum, { value }) => sum + value, 0)).toBe(100_000);
  });
});
