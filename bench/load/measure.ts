import { median } from "../results.js";
import { cpuMicros } from "./cpu.js";
import type { Generator, Job } from "./job.js";

/**
 * One line of the table: a job, and the processes whose CPU time it is measured by, each with its
 * descendants.
 */
export interface Line {
  readonly name: string;
  readonly job: Job;
  readonly pids: Readonly<Record<string, number>>;
}

/** Medians over the rounds. */
export interface Measured {
  readonly name: string;
  /** CPU microseconds a request, by the names in `pids`. */
  readonly cpuMicros: Readonly<Record<string, number>>;
  readonly requestsPerSecond: number;
  /** Of each process and descendant, by its place among them: its part of the CPU time. */
  readonly shares: Readonly<Record<string, readonly number[]>>;
  /** CPU microseconds a request in each round, of all processes together. */
  readonly rounds: readonly number[];
}

/** Requests before the first round: as many as it takes until everything is compiled. */
const WARM_UP = 10_000;

/**
 * Runs the lines one after the other, round by round, so that what disturbs the machine disturbs all alike.
 */
export async function measure(
  generator: Generator,
  lines: readonly Line[],
  rounds: number,
): Promise<Measured[]> {
  for (const { job } of lines) await generator.run({ ...job, count: WARM_UP });
  const samples = lines.map(() => [] as Sample[]);
  for (let round = 0; round < rounds; round++) {
    for (const [index, line] of lines.entries()) samples[index]?.push(await sample(generator, line));
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  return lines.map((line, index) => summarise(line, samples[index] ?? []));
}

interface Sample {
  readonly requestsPerSecond: number;
  readonly cpu: Readonly<Record<string, readonly number[]>>;
}

async function sample(generator: Generator, { job, pids }: Line): Promise<Sample> {
  const names = Object.entries(pids);
  const before = names.map(([, pid]) => cpuMicros(pid));
  const { seconds } = await generator.run(job);
  const cpu = names.map(([name, pid], index) => {
    const used = [...cpuMicros(pid)].map(
      ([id, micros]) => (micros - (before[index]?.get(id) ?? 0)) / job.count,
    );
    return [name, used] as const;
  });
  return { requestsPerSecond: job.count / seconds, cpu: Object.fromEntries(cpu) };
}

function summarise({ name, pids }: Line, samples: readonly Sample[]): Measured {
  const names = Object.keys(pids);
  return {
    name,
    requestsPerSecond: median(samples.map((one) => one.requestsPerSecond)),
    cpuMicros: Object.fromEntries(names.map((key) => [key, median(samples.map(({ cpu }) => sum(cpu[key])))])),
    shares: Object.fromEntries(names.map((key) => [key, shares(samples.map(({ cpu }) => cpu[key] ?? []))])),
    rounds: samples.map(({ cpu }) => sum(names.map((key) => sum(cpu[key])))),
  };
}

/** What part of the CPU time of all rounds each process took. */
function shares(rounds: readonly (readonly number[])[]): number[] {
  const all = sum(rounds.map(sum));
  return (rounds[0] ?? []).map((_, index) => sum(rounds.map((round) => round[index] ?? 0)) / all);
}

function sum(values: readonly number[] = []): number {
  return values.reduce((total, value) => total + value, 0);
}
