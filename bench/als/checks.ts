import { setTimeout as sleep } from "node:timers/promises";
import { loadProtos } from "../../src/server/protos.js";
import { startBuiltGatehouse } from "../load/targets.js";
import { benchRequest } from "../request.js";
import { median } from "../results.js";
import { type Generator, startGenerator } from "./job.js";
import { startLogTargets } from "./targets.js";

/** Where entries go while checks are asked. `elsewhere`: what they cost the machine, but not Gatehouse. */
export const places = ["nowhere", "to another process", "to the same Gatehouse"] as const;

/** Latencies of checks in milliseconds: one of each for a round. */
export interface ChecksMeasured {
  readonly place: (typeof places)[number];
  readonly p50: readonly number[];
  readonly p99: readonly number[];
}

/** How much is asked. */
export interface ChecksEffort {
  readonly rounds: number;
  /** Entries a second. */
  readonly rate: number;
}

const CHECKS_PER_SECOND = 500;
const SECONDS = 4;

/** Asks checks at a fixed rate while entries stream, in turn to each place, round by round. */
export async function measureChecks({ rounds, rate }: ChecksEffort): Promise<ChecksMeasured[]> {
  const asking = startGenerator();
  const streaming = startGenerator();
  const { targets, stop } = await startLogTargets("nothing but the peer that counts");
  const gatehouse = await startBuiltGatehouse({ applicable: 10, loaded: 10 });
  try {
    const [peer] = targets;
    if (peer === undefined) throw new Error("no peer");
    const ports: Partial<Record<ChecksMeasured["place"], number>> = {
      [places[1]]: peer.port,
      [places[2]]: gatehouse.port,
    };
    const bytes = loadProtos().check.requestSerialize(benchRequest({ certificate: true, headers: "raw" }));
    const payload = bytes.toString("base64");
    const ask = (count: number, perSecond: number): ReturnType<Generator["run"]> =>
      asking.run({ kind: "checks", port: gatehouse.port, count, rate: perSecond, payload });
    const stream = (port: number, seconds: number): ReturnType<Generator["run"]> =>
      streaming.run({ kind: "entries", port, count: seconds * rate, rate, sampled: 10 });
    await ask(10_000, 1_000);
    for (const port of Object.values(ports)) await stream(port, 6);
    const results = places.map((place) => ({ place, p50: [] as number[], p99: [] as number[] }));
    for (let round = 0; round < rounds; round++) {
      for (const { place, p50, p99 } of round % 2 === 0 ? results : results.toReversed()) {
        const port = ports[place];
        const entries = port === undefined ? undefined : stream(port, SECONDS + 1);
        await sleep(500);
        const { latencies } = await ask(SECONDS * CHECKS_PER_SECOND, CHECKS_PER_SECOND);
        await entries;
        p50.push(latencies[Math.floor(latencies.length * 0.5)] ?? Number.NaN);
        p99.push(latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN);
      }
      process.stderr.write(
        `round ${round + 1} of ${rounds}, p99 ${results.map(({ p99 }) => p99.at(-1)?.toFixed(2))}\n`,
      );
    }
    return results;
  } finally {
    asking.stop();
    streaming.stop();
    await gatehouse.stop();
    await stop();
  }
}

/** How far rounds of the same lie apart: the median distance from their median. */
export function noise(values: readonly number[]): number {
  const middle = median(values);
  return median(values.map((value) => Math.abs(value - middle)));
}
