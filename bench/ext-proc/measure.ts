import { cpuMicros } from "../load/cpu.js";
import { median, table } from "../results.js";
import type { Generator, Job } from "./job.js";

/** How much is asked. */
export interface Effort {
  readonly rounds: number;
  /** A line and round. */
  readonly requests: number;
}

/** What a line is held against. */
export interface Against {
  /** Another line. */
  readonly name: string;
  /** Of its CPU time, at the most. */
  readonly times?: number;
  /** Microseconds more than its, at the most. */
  readonly more?: number;
}

/** A job, and the processes whose CPU time it is measured by. */
export interface Line {
  readonly name: string;
  readonly job: Job;
  readonly pids: { readonly server?: number; readonly envoy?: number };
  readonly against?: readonly Against[];
}

/** CPU microseconds a request in each round. */
export interface Measured {
  readonly name: string;
  /** Empty: there is none. */
  readonly server: readonly number[];
  readonly envoy: readonly number[];
  readonly perSecond: readonly number[];
  readonly against: readonly Against[];
}

/** Until everything is compiled: masking is not before. */
const WARM_UP = 10_000;

/** Every line in turn, round by round, every other round in the opposite order. */
export async function measure(
  generator: Generator,
  lines: readonly Line[],
  { rounds, requests }: Effort,
): Promise<Measured[]> {
  for (const { name, job } of lines) {
    process.stderr.write(`warming up: ${name}\n`);
    // Each job has a connection of its own, which carries so many streams only.
    const parts = Math.min(40, Math.ceil(WARM_UP / requests));
    for (let part = 0; part < parts; part++) await generator.run({ ...job, count: requests });
  }
  const results = lines.map(({ name, against = [] }) => ({
    name,
    against,
    server: [] as number[],
    envoy: [] as number[],
    perSecond: [] as number[],
  }));
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [...lines.keys()] : [...lines.keys()].reverse();
    for (const index of order) {
      const { job, pids } = lines[index] as Line;
      const before = [usedBy(pids.server), usedBy(pids.envoy)] as const;
      const { seconds } = await generator.run({ ...job, count: requests });
      const result = results[index];
      if (pids.server !== undefined) result?.server.push((usedBy(pids.server) - before[0]) / requests);
      if (pids.envoy !== undefined) result?.envoy.push((usedBy(pids.envoy) - before[1]) / requests);
      result?.perSecond.push(requests / seconds);
    }
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  return results;
}

function usedBy(pid: number | undefined): number {
  if (pid === undefined) return 0;
  return [...cpuMicros(pid).values()].reduce((sum, micros) => sum + micros, 0);
}

/** Each line, and what it is held against: medians of the rounds' own ratios and differences. */
export function describe(results: readonly Measured[]): string {
  const rows = results.map(({ name, server, envoy, perSecond }) => [
    name,
    server.length === 0 ? "" : median(server).toFixed(1),
    server.length === 0 ? "" : `${Math.min(...server).toFixed(0)}–${Math.max(...server).toFixed(0)}`,
    ...(results.some((one) => one.envoy.length > 0) ? [median(envoy).toFixed(1)] : []),
    median(perSecond).toFixed(0),
  ]);
  const envoy = results.some((one) => one.envoy.length > 0) ? ["Envoy CPU µs"] : [];
  const header = ["line", "server CPU µs a request", "rounds", ...envoy, "requests/s"];
  return [table(header, rows), "", describeComparisons(results)].join("\n");
}

function describeComparisons(results: readonly Measured[]): string {
  const rows = results.flatMap((one) =>
    one.against.map(({ name, times, more }) => {
      const base = results.find((other) => other.name === name)?.server ?? [];
      const ratio = median(one.server.map((micros, round) => micros / (base[round] ?? Number.NaN)));
      const rise = median(one.server.map((micros, round) => micros - (base[round] ?? Number.NaN)));
      const limit = times === undefined ? (more === undefined ? "" : `+${more} µs`) : `${times} times`;
      const isMet =
        ratio <= (times ?? Number.POSITIVE_INFINITY) && rise <= (more ?? Number.POSITIVE_INFINITY);
      const verdict = limit === "" ? "" : isMet ? "met" : "not met";
      return [one.name, name, ratio.toFixed(2), rise.toFixed(1), limit, verdict];
    }),
  );
  return table(["line", "held against", "times", "µs more", "at most", ""], rows);
}
