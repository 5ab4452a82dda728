/** `tsx bench/micro/counters.ts [--write]`: what charging and adding cost in the memory store. */
import { parseArgs } from "node:util";
import { type Addition, type Algorithm, type Charge, createMemoryStore } from "../../src/quota/index.js";
import { table, writeResults } from "../results.js";
import { measureStages, type Stage } from "./measure.js";

const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });
const store = createMemoryStore({ now: Date.now });
const callers = Array.from({ length: 10_000 }, (_, index) => `caller ${index}`);
const most = 2 ** 32 - 1;
let turn = 0;

/** As a quota makes it: a new object, and a key from the request. */
function aCharge(algorithm: Algorithm, dimension: string, changes: Partial<Charge> = {}): Charge {
  return {
    algorithm,
    limit: most,
    windowMs: 60_000,
    burst: most,
    key: `${algorithm}|${dimension}|${nextCaller()}`,
    group: "default",
    cost: 1,
    isTrial: false,
    id: undefined,
    ...changes,
  };
}

function nextCaller(): string {
  turn = (turn + 1) % callers.length;
  return callers[turn] ?? "";
}

function anAddition(): Addition {
  return { key: `domain_key_${nextCaller()}_1763730000`, hits: 1, ttlSeconds: 90, limit: 100 };
}

const algorithms = ["fixedWindow", "slidingWindow", "tokenBucket"] as const;
const stages: Stage[] = [
  { name: "making a charge and its key, without a store", run: () => aCharge("fixedWindow", "a") },
  ...algorithms.map((algorithm) => ({
    name: `charge 1 counter, ${algorithm}`,
    run: () => store.charge([aCharge(algorithm, "a")]),
  })),
  {
    name: "charge 1 counter, concurrency, and give back",
    run: () => {
      const charges = [aCharge("concurrency", "a")];
      store.refund(charges, store.charge(charges).atMs);
    },
  },
  {
    name: "charge 1 counter that refuses",
    run: () => store.charge([aCharge("fixedWindow", "b", { limit: 0 })]),
  },
  { name: "charge 3 counters", run: () => store.charge(algorithms.map((one) => aCharge(one, "c"))) },
  {
    name: "add to 1 counter",
    run: () => store.add({ group: "domain", additions: [anAddition()], stopsWhenOver: false }),
  },
  {
    name: "add to 5 counters",
    run: () =>
      store.add({
        group: "domain",
        additions: [anAddition(), anAddition(), anAddition(), anAddition(), anAddition()],
        stopsWhenOver: false,
      }),
  },
];
const results = await measureStages(stages);
const rows = results.map((one) => [one.name, one.medianMicros.toFixed(2), one.p99Micros.toFixed(2)]);
const text = [
  table(["what", "median µs", "p99 µs"], rows),
  "",
  `Over ${callers.length} callers, with making the charges and their keys.`,
].join("\n");
console.log(text);
if (values.write) {
  writeResults("micro-counters", "Micro benchmarks: the memory store", { stages: results }, text);
}
