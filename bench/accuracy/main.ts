/**
 * `tsx bench/accuracy/main.ts [--seconds 60] [--clients 8] [--redis-url URL] [--write]`: how much more than its limit each
 * way of counting grants, under random load from several clients at once; on Redis each client has a connection of its own.
 */
import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { createRedisStore } from "../../src/adapters/index.js";
import { type Algorithm, type CounterStore, createMemoryStore } from "../../src/quota/index.js";
import { table, writeResults } from "../results.js";
import { judge } from "./judge.js";
import { chargeOf, putUnderLoad } from "./load.js";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    clients: { type: "string", default: "8" },
    "redis-url": { type: "string" },
    write: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);
const clients = Number(values.clients);
const url = values["redis-url"];
const algorithms: readonly Algorithm[] = ["fixedWindow", "slidingWindow", "tokenBucket", "concurrency"];

interface Measured {
  readonly name: string;
  readonly stores: readonly CounterStore[];
}

function openStores(): readonly Measured[] {
  const memory = createMemoryStore({ now: Date.now });
  const all: Measured[] = [{ name: "memory", stores: Array.from({ length: clients }, () => memory) }];
  if (url !== undefined) {
    const open = (): CounterStore => createRedisStore({ urls: [url], cluster: false, timeoutMs: 5_000 }, {});
    all.push({ name: "redis", stores: Array.from({ length: clients }, open) });
  }
  return all;
}

const run = randomUUID();
const rows: string[][] = [];
const data: object[] = [];
for (const { name, stores } of openStores()) {
  const loads = algorithms.map(async (algorithm) => {
    const charge = chargeOf(algorithm, run);
    return { charge, load: await putUnderLoad(stores, charge, seconds) };
  });
  for (const { charge, load } of await Promise.all(loads)) {
    const granted = load.grants.reduce((sum, { cost }) => sum + cost, 0);
    for (const { algorithm, over, largest, bound } of judge(charge, load)) {
      const excess = Math.max(0, largest - bound);
      const numbers = [load.charges, load.failures, granted];
      rows.push([name, algorithm, ...numbers.map(String), over, `${largest}`, `${bound}`, `${excess}`]);
      data.push({ store: name, algorithm, charges: load.charges, granted, over, largest, bound, excess });
    }
  }
  await Promise.all([...new Set(stores)].map((store) => store.close()));
}
const header = [
  "store",
  "algorithm",
  "charges",
  "failed",
  "units granted",
  "most in",
  "units",
  "bound",
  "over-grant",
];
const text = [
  table(header, rows),
  "",
  `${seconds} s of random load of each at once: ${clients} clients, 1 to 3 units a charge, against 100 units in a second; the`,
  "bucket's burst is 20. Times are those of the store's clock.",
].join("\n");
console.log(text);
if (values.write)
  writeResults("accuracy", "Over-grants under random load", { seconds, clients, rows: data }, text);
