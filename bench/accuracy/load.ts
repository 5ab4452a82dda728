import { setTimeout as sleep } from "node:timers/promises";
import type { Algorithm, Charge, CounterStore } from "../../src/quota/index.js";

/** Units that passed. */
export interface Grant {
  /** By the store's clock, in milliseconds since the epoch. */
  readonly at: number;
  readonly cost: number;
}

/** What one counter did under load. */
export interface Load {
  readonly charges: number;
  readonly failures: number;
  readonly grants: readonly Grant[];
  /** The most units that clients knew to be theirs at one time; only of `concurrency`. */
  readonly mostInUse: number;
}

/** What is counted: a hundred units in a second, in bursts of 20. */
export function chargeOf(algorithm: Algorithm, run: string): Charge {
  return {
    algorithm,
    limit: 100,
    windowMs: 1_000,
    burst: algorithm === "tokenBucket" ? 20 : 100,
    key: `accuracy ${run} ${algorithm}`,
    group: "bench",
    cost: 1,
    isTrial: false,
    id: undefined,
  };
}

/**
 * Charges one counter from several clients at once, each at random times and with 1 to 3 units, now quicker, now slower,
 * on average with several times what may pass. Of `concurrency` the clients give back after a while.
 */
export async function putUnderLoad(
  stores: readonly CounterStore[],
  charge: Charge,
  seconds: number,
): Promise<Load> {
  const grants: Grant[] = [];
  let charges = 0;
  let failures = 0;
  let inUse = 0;
  let mostInUse = 0;
  const end = performance.now() + 1_000 * seconds;

  async function hold(store: CounterStore, one: Charge, atMs: number): Promise<void> {
    inUse += one.cost;
    mostInUse = Math.max(mostInUse, inUse);
    await sleep(400 * Math.random());
    inUse -= one.cost;
    await store.refund([one], atMs);
  }

  async function runClient(store: CounterStore): Promise<void> {
    const held: Promise<void>[] = [];
    while (performance.now() < end) {
      // Pauses of some milliseconds, and a storm in every other half second.
      const isStorm = Math.floor(performance.now() / 500) % 2 === 0;
      await sleep((isStorm ? 4 : 30) * -Math.log(1 - Math.random()));
      const one = { ...charge, cost: 1 + Math.floor(3 * Math.random()) };
      charges++;
      try {
        const { allowed, atMs } = await store.charge([one]);
        if (!allowed) continue;
        grants.push({ at: atMs, cost: one.cost });
        if (charge.algorithm === "concurrency") held.push(hold(store, one, atMs));
      } catch {
        failures++;
      }
    }
    await Promise.allSettled(held);
  }

  await Promise.all(stores.map(runClient));
  return { charges, failures, grants: grants.sort((a, b) => a.at - b.at), mostInUse };
}
