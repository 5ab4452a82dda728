import cluster from "node:cluster";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { type Charge, createMemoryStore } from "../../src/quota/index.js";
import { createLineLink, LINES_FD } from "../../src/server/line-link.js";
import { hostStore } from "../../src/server/store-host.js";
import { createStoreLink } from "../../src/server/store-link.js";

// What a charge costs when the ledger is another process's: CPU of worker and primary together, for so many charges in
// one turn of the worker's event loop. Run it alone: `tsx bench/micro/worker-ledger.ts`.

const CHARGES = 40_000;
const WARM_UP = 10_000;
const batches = [1, 4, 16];

/** From the worker: it begins to measure, or has measured so much CPU, in microseconds. */
type Report = { readonly starts: number } | { readonly batch: number; readonly micros: number };

const chargeOn = (client: number): Charge => ({
  group: "shop",
  key: `quota:4:shop10:per-clientf60000/10:client-${1000 + (client % 1000)}`,
  algorithm: "fixedWindow",
  limit: 1_000_000,
  windowMs: 60_000,
  burst: 1_000_000,
  cost: 1,
  isTrial: false,
  id: undefined,
});

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function primary(): void {
  const stdio = ["inherit", "inherit", "inherit", "ipc", "pipe"] as const;
  cluster.setupPrimary({ exec: fileURLToPath(import.meta.url), stdio: [...stdio] });
  const worker = cluster.fork();
  const store = createMemoryStore({ now: Date.now });
  const direct = cpuMicros();
  for (let i = 0; i < CHARGES; i++) store.charge([chargeOn(i)]);
  console.log(`in this process: ${((cpuMicros() - direct) / CHARGES).toFixed(1)} µs per charge`);
  hostStore({
    link: createLineLink(worker.process.stdio[LINES_FD] as Duplex),
    store,
    onError: console.error,
  });
  let before = 0;
  worker.on("message", (report: Report) => {
    if ("starts" in report) {
      before = cpuMicros();
      return;
    }
    const here = (cpuMicros() - before) / CHARGES;
    const there = report.micros / CHARGES;
    console.log(
      `${report.batch} at once: worker ${there.toFixed(1)} + primary ${here.toFixed(1)} =` +
        ` ${(there + here).toFixed(1)} µs per charge`,
    );
    if (report.batch === batches.at(-1)) worker.kill();
  });
}

async function worker(): Promise<void> {
  const ports = {
    link: createLineLink(new Socket({ fd: LINES_FD, readable: true, writable: true })),
    now: () => performance.now(),
    schedule(ms: number, callback: () => void) {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    soon: (callback: () => void) => void setImmediate(callback),
  };
  const store = createStoreLink(ports, { deadlineMs: 10_000, maxUnanswered: 100 });
  const chargeMany = async (count: number, batch: number): Promise<void> => {
    for (let i = 0; i < count; i += batch) {
      await Promise.all(Array.from({ length: batch }, (_, k) => store.charge([chargeOn(i + k)])));
    }
  };
  for (const batch of batches) {
    await chargeMany(WARM_UP, batch);
    process.send?.({ starts: batch } satisfies Report);
    const before = cpuMicros();
    await chargeMany(CHARGES, batch);
    process.send?.({ batch, micros: cpuMicros() - before } satisfies Report);
  }
}

if (cluster.isPrimary) primary();
else await worker();
