// As test/support/memory-report.ts, but for a server as it is built, whose threads load this file too.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread } from "node:worker_threads";

if (isMainThread) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  process.on("SIGUSR2", () => {
    collect();
    // What finalizers let go is collected by the second turn.
    setTimeout(() => {
      collect();
      process.stderr.write(`${JSON.stringify({ memory: process.memoryUsage() })}\n`);
    }, 200);
  });
}
