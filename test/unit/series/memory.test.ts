import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { createSeriesStore } from "../../../src/series/index.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function heapAfter(attack: () => void): number {
  attack();
  collect();
  return process.memoryUsage().heapUsed;
}

it("100,000 more values that nobody has seen before leave the heap as it was", () => {
  let now = 0;
  const store = createSeriesStore({ now: () => now });
  const counter = store.counter({
    name: "things_total",
    help: "Things.",
    labels: ["a", "b"],
    expiryMs: 1000,
    maxValues: 500,
    maxSeries: 1000,
  });
  let turn = 0;
  const attack = (): void => {
    for (let i = 0; i < 100_000; i++) {
      turn += 1;
      now += 1;
      counter.add([`caller ${turn}`, `host ${turn}`], 1);
    }
    store.values();
  };
  const before = heapAfter(attack);
  const after = heapAfter(attack);
  // What 100,000 series would take is 30 MB.
  expect(after - before).toBeLessThan(3_000_000);
});
