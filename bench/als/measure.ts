import { setTimeout as sleep } from "node:timers/promises";
import { cpuMicros } from "../load/cpu.js";
import type { Generator } from "./job.js";
import { countsOf, type LogTarget } from "./targets.js";

/** How much is sent. */
export interface Effort {
  readonly rounds: number;
  /** Entries for each server and round. */
  readonly count: number;
  /** Entries a second. */
  readonly rate: number;
}

/** What a round cost. */
export interface Sample {
  /** CPU microseconds for one entry, at the rate of `Effort`. */
  readonly cpuMicros: number;
  /** Entries that were read in a second when they came as fast as they were taken. */
  readonly perSecond: number;
  /** Entries, lines and spans that were lost while they came at the rate; of a peer 0. */
  readonly lost: number;
}

/** The rounds of one server. */
export interface Measured {
  readonly name: string;
  readonly samples: readonly Sample[];
}

/** Fits the queue in front of the reading, so that nothing is thrown away unread. */
const BURST = 15_000;
/** Receivers of spans and files get what waited for others in this time. */
const SETTLE_MS = 1_300;
const LATE_MS = 20_000;
const WARM_UP = 40_000;

/** Every server in turn, round by round, every other round in the opposite order. */
export async function measureEntries(
  generator: Generator,
  targets: readonly LogTarget[],
  effort: Effort,
): Promise<Measured[]> {
  for (const { port, sampled } of targets) {
    await generator.run({ kind: "entries", port, count: WARM_UP, rate: 20_000, sampled });
  }
  const lines = targets.map((target) => ({ target, samples: [] as Sample[] }));
  for (let round = 0; round < effort.rounds; round++) {
    for (const { target, samples } of round % 2 === 0 ? lines : lines.toReversed()) {
      samples.push({
        ...(await atRate(generator, target, effort)),
        perSecond: await atOnce(generator, target),
      });
    }
    process.stderr.write(`round ${round + 1} of ${effort.rounds}\n`);
  }
  return lines.map(({ target, samples }) => ({ name: target.name, samples }));
}

async function atRate(
  generator: Generator,
  target: LogTarget,
  { count, rate }: Effort,
): Promise<Omit<Sample, "perSecond">> {
  const { port, sampled } = target;
  // What was idle meanwhile has given back memory and compiled code.
  await generator.run({ kind: "entries", port, count: 1_000, rate, sampled });
  await whenIdle(target);
  const counts = await countsOf(target);
  const before = usedBy(target);
  const { entries } = await generator.run({ kind: "entries", port, count, rate, sampled });
  for (const late = Date.now() + LATE_MS; ; ) {
    await whenIdle(target);
    const used = usedBy(target) - before;
    const now = await countsOf(target);
    const read = (now?.read ?? 0) - (counts?.read ?? 0);
    const lost = (now?.lost ?? 0) - (counts?.lost ?? 0);
    if (now === undefined || lost > 0 || read === entries) return { cpuMicros: used / entries, lost };
    if (Date.now() > late) throw new Error(`${target.name}: ${read} of ${entries} entries were read`);
  }
}

/** Everything has been sent on, and nothing is done any more. */
async function whenIdle(target: LogTarget): Promise<void> {
  await sleep(SETTLE_MS);
  for (let last = usedBy(target); ; ) {
    await sleep(100);
    const now = usedBy(target);
    if (now - last < 10_000) return;
    last = now;
  }
}

const STEP_MS = 5;
/** So many steps without much work are the end. */
const QUIET_STEPS = 10;

/** Until the server's process does nothing any more. */
async function atOnce(generator: Generator, target: LogTarget): Promise<number> {
  const { port, sampled } = target;
  const used: [at: number, micros: number][] = [];
  let isSent = false;
  const sending = generator.run({ kind: "entries", port, count: BURST, sampled }).finally(() => {
    isSent = true;
  });
  const idle = usedBy(target);
  for (let quiet = 0; !isSent || quiet < QUIET_STEPS; ) {
    await sleep(STEP_MS);
    const micros = usedBy(target);
    const [, last] = used.at(-1) ?? [0, idle];
    quiet = micros - last < STEP_MS * 200 ? quiet + 1 : 0;
    used.push([performance.now(), micros]);
  }
  const { entries } = await sending;
  const busy = used.filter(([, micros], i) => micros - (used[i - 1]?.[1] ?? idle) >= STEP_MS * 200);
  const [from] = busy[0] ?? [0];
  const [until] = busy.at(-1) ?? [0];
  return (entries / (until - from + STEP_MS)) * 1000;
}

function usedBy({ pid }: LogTarget): number {
  return [...cpuMicros(pid).values()].reduce((sum, micros) => sum + micros, 0);
}
