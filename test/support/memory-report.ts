import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread } from "node:worker_threads";

/**
 * Loaded into a process by `--import`: at SIGUSR2 it collects garbage and writes its memory to standard error, as one
 * JSON line with the key `memory`.
 */
if (isMainThread) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  process.on("SIGUSR2", () => {
    collect();
    // What finalizers let go is collected by the second turn.
    setTimeout(() => {
      collect();
      process.stderr.write(`${JSON.stringify({ memory: process.memoryUsage(), pid: process.pid })}\n`);
    }, 200);
  });
}
