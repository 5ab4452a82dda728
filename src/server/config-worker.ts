import { setImmediate as nextTurn } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { createDirectorySource } from "../adapters/index.js";
import { createCatalog } from "../config/index.js";
import { pack, type ToConfigThread } from "./config-messages.js";
import type { ConfigThreadOptions } from "./config-thread.js";

/** Entry of the thread that reads and validates the configuration, so that this never delays a request. */
function run(): void {
  const options = workerData as ConfigThreadOptions;
  const source = createDirectorySource(options);
  const environment = options.environment ?? {};
  const catalog = createCatalog({
    pause: () => nextTurn(),
    references: {
      files: source.readNamed,
      variable: (name) => (Object.hasOwn(environment, name) ? environment[name] : undefined),
    },
  });
  const sent = new Map<string, string>();
  source.watch(async (files) => {
    const message = pack(await catalog.update(files), sent);
    parentPort?.postMessage(message, [...message.parts]);
  });
  parentPort?.on("message", (message: ToConfigThread) => {
    if (message.type === "reload") void source.reload();
  });
}

run();
