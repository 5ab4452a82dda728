import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** How long a call takes at its best of three, in milliseconds: what else the machine does is in the worse ones. */
export function fastestMs(run: () => unknown): number {
  const times = [1, 2, 3].map(() => {
    const started = performance.now();
    run();
    return performance.now() - started;
  });
  return Math.min(...times);
}

/** By how many bytes the heap is larger as long as what a call makes is kept. */
export async function keptBytes(make: () => unknown): Promise<number> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  const kept: unknown[] = [await make()];
  collect();
  const grown = process.memoryUsage().heapUsed - before;
  // Used here, so that it was not garbage above.
  kept.length = 0;
  return grown;
}
