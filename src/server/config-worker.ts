import { setImmediate as nextTurn } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { createDirectorySource, createDownloads, createOpaCompiler } from "../adapters/index.js";
import { type ConfigUpdate, createCatalog } from "../config/index.js";
import { defaultRateLimitSettings } from "../ratelimit/index.js";
import { pack, type ToConfigThread } from "./config-messages.js";
import type { ConfigThreadOptions } from "./config-thread.js";

/** Entry of the thread that reads and validates the configuration, so that this never delays a request. */
function run(): void {
  const options = workerData as ConfigThreadOptions;
  const { rateLimitSettings = defaultRateLimitSettings } = options;
  const source = createDirectorySource({ ...options, ignoresDotFiles: rateLimitSettings.ignoresDotFiles });
  const environment = options.environment ?? {};
  const compiler = createOpaCompiler({ cacheDir: options.cacheDir });
  const downloads = createDownloads({ onChange: () => void source.reload() });
  const catalog = createCatalog({
    pause: () => nextTurn(),
    ports: { rego: compiler },
    rateLimit: rateLimitSettings,
    references: {
      files: source.readNamed,
      downloads: downloads.follow,
      variable: (name) => (Object.hasOwn(environment, name) ? environment[name] : undefined),
    },
  });
  const sent = new Map<string, string>();
  let patience = options.awaitDownloadsMs ?? 0;
  source.watch(async (files) => {
    let update = await catalog.update(files);
    if (patience > 0 && downloads.isWaiting()) {
      await downloads.settled(patience);
      update = join(update, await catalog.update(files));
    }
    patience = 0;
    const message = pack(update, sent);
    parentPort?.postMessage(message, [...message.parts]);
  });
  parentPort?.on("message", (message: ToConfigThread) => {
    if (message.type === "reload") void source.reload();
  });
}

/** Two steps as one. */
function join(first: ConfigUpdate, second: ConfigUpdate): ConfigUpdate {
  const upserts = new Map([...first.upserts, ...second.upserts].map((resource) => [resource.id, resource]));
  for (const id of second.removed) upserts.delete(id);
  return { ...second, upserts: [...upserts.values()], removed: [...first.removed, ...second.removed] };
}

run();
