/** Things that take microseconds, by name. */
export type Runs = Readonly<Record<string, () => unknown>>;

/**
 * The fastest of many short batches of each, in turn so that what disturbs disturbs all of them; it only adds.
 * Microseconds for one run.
 */
export function fastest(runs: Runs, rounds = 400, batch = 200): (name: string) => number {
  const best = new Map<string, number>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(runs)) {
      const started = performance.now();
      for (let i = 0; i < batch; i++) run();
      const micros = ((performance.now() - started) * 1000) / batch;
      best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, micros));
    }
  }
  return (name) => best.get(name) ?? Number.NaN;
}
