import type { MetricObject } from "prom-client";
import { describe, expect, it } from "vitest";
import { createSeriesStore, type FamilyDefinition, type SeriesStore } from "../../../src/series/index.js";
import { renderMetrics } from "../../../src/telemetry/index.js";

const definition = (changes: Partial<FamilyDefinition> = {}): FamilyDefinition => ({
  name: "things_total",
  help: "Things.",
  labels: ["a", "b"],
  expiryMs: 1000,
  maxValues: 100,
  maxSeries: 100,
  ...changes,
});

let now = 0;
const aStore = (): SeriesStore => createSeriesStore({ now: () => now });

/** What is shown of the stores' own metrics' metrics left out. Values go as they go between processes. */
async function shown(...stores: readonly SeriesStore[]): Promise<string> {
  const processes = stores.map((store) => JSON.parse(JSON.stringify(store.values())) as MetricObject[]);
  const text = await renderMetrics(
    processes.map((all) => all.filter(({ name }) => !name.startsWith("gatehouse_"))),
  );
  return text.trim();
}

describe("the text form of series", () => {
  it("is Prometheus'", async () => {
    const store = aStore();
    store.counter(definition()).add(["x", "y"], 2);
    store
      .histogram(definition({ name: "sizes", help: "Sizes\nof \\." }), [0.5, 1000])
      .observe(["x", ""], 7.25);
    expect(await shown(store)).toBe(
      [
        "# HELP things_total Things.",
        "# TYPE things_total counter",
        'things_total{a="x",b="y"} 2',
        "",
        "# HELP sizes Sizes\\nof \\\\.",
        "# TYPE sizes histogram",
        'sizes_bucket{a="x",le="0.5"} 0',
        'sizes_bucket{a="x",le="1000"} 1',
        'sizes_bucket{a="x",le="+Inf"} 1',
        'sizes_sum{a="x"} 7.25',
        'sizes_count{a="x"} 1',
      ].join("\n"),
    );
  });

  it("escapes what a value could break out with", async () => {
    const store = aStore();
    store.counter(definition()).add(['"} 1\nevil 1', "\\"], 1);
    expect((await shown(store)).split("\n").at(-1)).toBe('things_total{a="\\"} 1\\nevil 1",b="\\\\"} 1');
  });

  it("leaves out labels that are empty, and braces without labels", async () => {
    const store = aStore();
    store.counter(definition()).add(["", ""], 1);
    expect((await shown(store)).split("\n").at(-1)).toBe("things_total 1");
  });

  it("stands beside what prom-client counts", async () => {
    const store = aStore();
    store.counter(definition()).add(["x", "y"], 1);
    const text = await renderMetrics([
      [
        { name: "own", help: "Own.", type: "counter", aggregator: "sum", values: [{ value: 1, labels: {} }] },
        ...store.values(),
      ] as unknown as MetricObject[],
    ]);
    expect(text).toContain("\nown 1\n");
    expect(text).toContain('\nthings_total{a="x",b="y"} 1\n');
    expect(text).toContain('gatehouse_series{metric="things_total"} 1\n');
  });

  it("adds processes up by labels", async () => {
    const [one, other] = [aStore(), aStore()];
    for (const store of [one, other]) {
      store.counter(definition()).add(["x", "y"], 1);
      store.histogram(definition({ name: "sizes" }), [1]).observe(["x", ""], 1);
    }
    other.counter(definition()).add(["a", "b"], 1);
    const text = await shown(one, other);
    expect(text).toContain('things_total{a="x",b="y"} 2\nthings_total{a="a",b="b"} 1\n');
    expect(text).toContain(
      'sizes_bucket{a="x",le="1"} 2\nsizes_bucket{a="x",le="+Inf"} 2\nsizes_sum{a="x"} 2\n',
    );
  });

  it("never takes two tuples for one, whatever is in their values", async () => {
    const store = aStore();
    store.counter(definition()).add(["x,b:y", ""], 1);
    store.counter(definition()).add(["x", "y"], 1);
    store.counter(definition()).add(['x",b="y', ""], 1);
    expect((await shown(store)).split("\n").slice(2)).toHaveLength(3);
  });

  it("adds up variants whose added label is empty, as Prometheus would", async () => {
    const store = aStore();
    store.counter(definition()).add(["x", "y"], 1);
    const variant = store.counter(definition({ variant: "c", labels: ["a", "b", "c"] }));
    variant.add(["x", "y", ""], 1);
    variant.add(["x", "y", "z"], 1);
    expect((await shown(store)).split("\n").slice(2)).toEqual([
      'things_total{a="x",b="y"} 2',
      'things_total{a="x",b="y",c="z"} 1',
    ]);
  });

  it("keeps what expired in one process as long as another counts it, so that the sum does not fall", async () => {
    const [one, other] = [aStore(), aStore()];
    one.counter(definition()).add(["x", "y"], 1000);
    other.counter(definition()).add(["x", "y"], 5);
    now += 900;
    other.counter(definition()).add(["x", "y"], 5);
    now += 900;
    expect((await shown(one, other)).split("\n").at(-1)).toBe('things_total{a="x",b="y"} 1010');
    now += 1001;
    expect(await shown(one, other)).toBe("");
    one.counter(definition()).add(["x", "y"], 1);
    expect((await shown(one, other)).split("\n").at(-1)).toBe('things_total{a="x",b="y"} 1011');
  });

  it("is made in pieces, between which others have their turn", async () => {
    const store = aStore();
    const histogram = store.histogram(
      definition({ name: "sizes", maxValues: 500, maxSeries: 500 }),
      [1, 2, 3],
    );
    for (let i = 0; i < 400; i++) histogram.observe([`${i}`, "y"], 1);
    let pauses = 0;
    const text = await renderMetrics([store.values()], async () => {
      pauses += 1;
    });
    expect(pauses).toBeGreaterThan(2);
    expect(text.match(/^sizes_count/gm)).toHaveLength(400);
    expect(text).not.toMatch(/\n\n(?!\n|# HELP)/);
  });

  it("leaves out what cannot be added up while a new definition reaches the processes", async () => {
    const [one, other] = [aStore(), aStore()];
    one.histogram(definition({ name: "sizes" }), [1]).observe(["x", ""], 1);
    other.histogram(definition({ name: "sizes" }), [2]).observe(["x", ""], 1);
    expect(await shown(one, other)).toContain('sizes_count{a="x"} 1');
  });
});
