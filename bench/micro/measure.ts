import { Bench } from "tinybench";

/** A thing to measure, by what it is called in the table. */
export interface Stage {
  readonly name: string;
  readonly run: () => unknown;
}

/** What one stage costs. */
export interface StageResult {
  readonly name: string;
  /** Microseconds for one run. */
  readonly medianMicros: number;
  readonly p99Micros: number;
  readonly samples: number;
}

/** Runs in one sample: what is measured takes less than the clock can tell. */
const BATCH = 100;

/** What a run gave last; kept so that no run can be optimised away. */
export let sink: unknown;

/**
 * Measures the stages, several times each in turn, and gives each its best median: what disturbs only adds.
 */
export async function measureStages(stages: readonly Stage[], rounds = 3): Promise<StageResult[]> {
  const results = new Map<string, StageResult>();
  for (let round = 0; round < rounds; round++) {
    const bench = new Bench({ time: 300, warmupTime: 200 });
    for (const { name, run } of stages) {
      bench.add(
        name,
        () => {
          for (let i = 0; i < BATCH; i++) sink = run();
        },
        { async: false },
      );
    }
    await bench.run();
    for (const task of bench.tasks) {
      if (task.result.state !== "completed")
        throw new Error(`\`${task.name}\` failed`, { cause: task.result });
      const { p50, p99, samplesCount } = task.result.latency;
      const micros = (ms: number): number => (ms * 1000) / BATCH;
      const before = results.get(task.name);
      if (before !== undefined && before.medianMicros <= micros(p50)) continue;
      results.set(task.name, {
        name: task.name,
        medianMicros: micros(p50),
        p99Micros: micros(p99),
        samples: samplesCount,
      });
    }
  }
  return [...results.values()];
}
