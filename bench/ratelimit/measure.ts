import { cpuMicros } from "../load/cpu.js";
import type { Generator, Job } from "../load/job.js";
import { type Case, METHOD } from "./cases.js";
import { type CountsReader, createCountsReader, type RedisCounts } from "./redis-counts.js";
import type { Server, Targets } from "./targets.js";

/** How much is asked. */
export interface Effort {
  readonly rounds: number;
  /** Requests for a case, server and round. */
  readonly count: number;
  readonly warmUp: number;
}

/** What one round of a case cost on a server; everything is for one request unless it says otherwise. */
export interface Sample {
  readonly serviceMicros: number;
  readonly redisMicros: number;
  readonly requestsPerSecond: number;
  /** Questions that reached Redis: scripts, or single commands where there are none. */
  readonly questions: number;
  readonly reads: number;
  /** CPU milliseconds of the same fixed loop, right before: what the machine was worth then. */
  readonly loopMs: number;
}

/** The rounds of one case on one server, in order. */
export interface Measured {
  readonly name: string;
  readonly server: Server;
  readonly samples: readonly Sample[];
}

/** Requests before each sample. */
const WAKE_UP = 2_000;

/** Which servers a case is measured on. */
export type ServersOf = (measured: Case) => readonly Server[];

/**
 * All cases on all servers in turn, round by round; every other round in the opposite order, so that neither is always
 * the first.
 */
export async function measure(
  generator: Generator,
  targets: Targets,
  cases: readonly Case[],
  serversOf: ServersOf,
  effort: Effort,
): Promise<Measured[]> {
  const lines = cases.flatMap((measured) =>
    serversOf(measured).map((server) => ({ measured, server, samples: [] as Sample[] })),
  );
  const counts = createCountsReader(targets.redis.port);
  const meter = { generator, targets, counts, count: effort.count };
  try {
    for (const line of lines) await sample({ ...meter, count: effort.warmUp }, line);
    for (let round = 0; round < effort.rounds; round++) {
      for (const line of round % 2 === 0 ? lines : lines.toReversed()) {
        line.samples.push(await sample(meter, line));
      }
      process.stderr.write(`round ${round + 1} of ${effort.rounds}\n`);
    }
  } finally {
    counts.close();
  }
  return lines.map(({ measured, server, samples }) => ({ name: measured.name, server, samples }));
}

interface Meter {
  readonly generator: Generator;
  readonly targets: Targets;
  readonly counts: CountsReader;
  readonly count: number;
}

interface Line {
  readonly measured: Case;
  readonly server: Server;
}

async function sample({ generator, targets, counts, count }: Meter, line: Line): Promise<Sample> {
  const { payload, answerStart, hasLocalCache } = line.measured;
  const { pid, port } = targets.find(line.server, hasLocalCache);
  const job: Job = {
    kind: "grpc",
    port,
    count,
    parallel: 32,
    connections: 2,
    path: METHOD,
    payloads: [payload],
    ...(line.server === "echo" ? {} : { answerStart }),
  };
  // A process that was idle meanwhile has given back memory and compiled code.
  await generator.run({ ...job, count: WAKE_UP });
  const loopMs = fixedLoopMs();
  const asked = await counts.read();
  const before = [usedBy(pid), usedBy(targets.redis.pid)] as const;
  const { seconds } = await generator.run(job);
  const after = [usedBy(pid), usedBy(targets.redis.pid)] as const;
  const now = await counts.read();
  return {
    serviceMicros: (after[0] - before[0]) / count,
    redisMicros: (after[1] - before[1]) / count,
    requestsPerSecond: count / seconds,
    questions: questionsBetween(asked, now) / count,
    // One of them is the question for the counts.
    reads: Math.max(0, now.reads - asked.reads - 1) / count,
    loopMs,
  };
}

function usedBy(pid: number): number {
  return [...cpuMicros(pid).values()].reduce((sum, micros) => sum + micros, 0);
}

function questionsBetween(before: RedisCounts, after: RedisCounts): number {
  const scripts = after.scripts - before.scripts;
  return scripts > 0 ? scripts : after.commands - before.commands;
}

let sink = 0;

function fixedLoopMs(): number {
  const before = process.cpuUsage();
  for (let i = 0; i < 5_000_000; i++) sink = (sink * 31 + i) | 0;
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
