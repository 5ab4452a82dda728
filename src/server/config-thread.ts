import { createRequire } from "node:module";
import { setImmediate as nextTurn } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import type { ConfigUpdate, Resource } from "../config/index.js";
import { codes, fileDiagnostic } from "../diagnostics/index.js";
import type { RateLimitSettings } from "../ratelimit/index.js";
import { type FromConfigThread, type ToConfigThread, unpack } from "./config-messages.js";

/** What to read. */
export interface ConfigThreadOptions {
  readonly paths: readonly string[];
  /** A path without any document is no error. */
  readonly allowEmpty: boolean;
  /** Folders of Rego that stand for a RegoPolicy each. */
  readonly rego?: readonly string[];
  /** Config files of envoyproxy/ratelimit and folders of them. */
  readonly rateLimit?: readonly string[];
  /** How they are read and joined. */
  readonly rateLimitSettings?: Pick<RateLimitSettings, "mergeDomains" | "ignoresDotFiles">;
  /** Where compiled policies are kept; absent: only in memory. */
  readonly cacheDir?: string | undefined;
  /** The first update waits so long for what documents name by URL, in milliseconds; 0 when absent. */
  readonly awaitDownloadsMs?: number;
  /** Variables that documents may name; absent: none. */
  readonly environment?: Environment;
}

/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Configuration that is read, watched and validated in a thread of its own. */
export interface ConfigThread {
  /** The one listener; updates that came before it are told as well, in order. */
  onUpdate(listener: (update: ConfigUpdate) => void): void;
  /** Reads again now and tells, changed or not. */
  reload(): void;
  close(): Promise<void>;
}

/** A thread that ended is begun again after this time. */
const RESTART_MS = 1000;

/**
 * Begins to read. The first update is the whole configuration, each next one the step from the last good one.
 */
export function startConfigThread(options: ConfigThreadOptions): ConfigThread {
  let listener: ((update: ConfigUpdate) => void) | undefined;
  const waiting: ConfigUpdate[] = [];
  let closed = false;
  let restart: NodeJS.Timeout | undefined;
  let queue: Promise<void> = Promise.resolve();
  /** What the listener knows, for the step to what a new thread reads. */
  const known = new Map<string, Resource>();

  const tell = (update: ConfigUpdate): void => {
    if (closed) return;
    if (listener === undefined) waiting.push(update);
    else listener(update);
  };

  const begin = (): Worker => {
    let isFirst = true;
    // A copy: what the process itself has there cannot be sent.
    const worker = spawn({ ...options, environment: { ...options.environment } });
    worker.on("message", (message: FromConfigThread) => {
      queue = queue.then(async () => {
        const update = await unpack(message, known, () => nextTurn());
        if (!update.ok) return tell(update);
        const removed = isFirst ? missingIn(update, known) : update.removed;
        isFirst = false;
        for (const id of removed) known.delete(id);
        for (const resource of update.upserts) known.set(resource.id, resource);
        tell({ ...update, removed });
      });
    });
    worker.on("error", (error: Error) => {
      queue = queue.then(() => tell(failure(options, error)));
    });
    worker.on("exit", () => {
      if (closed) return;
      restart = setTimeout(() => {
        current = begin();
      }, RESTART_MS);
    });
    return worker;
  };

  let current = begin();
  return {
    onUpdate(given) {
      listener = given;
      for (const update of waiting.splice(0)) given(update);
    },
    reload() {
      const message: ToConfigThread = { type: "reload" };
      current.postMessage(message);
    },
    async close() {
      closed = true;
      clearTimeout(restart);
      await current.terminate();
    },
  };
}

/**
 * Compiled, the entry is JavaScript; from the sources (tests, demo) it is TypeScript, which tsx reads. In a
 * thread of Node 20 tsx cannot be given by `--import`, so the thread registers it itself.
 */
function spawn(workerData: ConfigThreadOptions): Worker {
  if (!import.meta.url.endsWith(".ts")) {
    return new Worker(new URL("./config-worker.js", import.meta.url), { workerData });
  }
  const tsx = createRequire(import.meta.url)
    .resolve("tsx/esm/api")
    .replace(/\.cjs$/, ".mjs");
  const [api, entry] = [pathToFileURL(tsx).href, new URL("./config-worker.ts", import.meta.url).href];
  const code = `import("${api}").then(({ register }) => { register(); return import("${entry}"); })`;
  return new Worker(code, { eval: true, workerData });
}

function missingIn({ upserts }: ConfigUpdate, known: ReadonlyMap<string, Resource>): readonly string[] {
  const now = new Set(upserts.map(({ id }) => id));
  return [...known.keys()].filter((id) => !now.has(id));
}

/** A thread that ended for a reason of its own: nothing changes, and the reason is told. */
function failure({ paths }: ConfigThreadOptions, error: Error): ConfigUpdate {
  const message = `reading the configuration ended: ${error.message}`;
  const diagnostic = fileDiagnostic(codes.sourceUnreadable, paths[0] ?? "", message);
  return { ok: false, upserts: [], removed: [], diagnostics: [diagnostic], worst: diagnostic.severity };
}
