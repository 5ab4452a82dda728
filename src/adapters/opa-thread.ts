import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { GatehouseError } from "../diagnostics/index.js";
import type { FromOpaThread, OpaRequest, OpaThreadData } from "./opa-messages.js";
import type { WasmModule } from "./opa-web-assembly.js";

/** Limits of the thread; the defaults are in `createOpaThread`. */
export interface OpaThreadOptions {
  /** Of one request, from its turn on; the start of the thread counts. */
  readonly deadlineMs?: number | undefined;
  /** A thread with nothing to do is ended after this time. */
  readonly idleMs?: number | undefined;
  readonly maxMemoryBytes?: number | undefined;
  /** Beside `opa.wasm.sha256`. */
  readonly artifact?: URL | undefined;
}

/** OPA in a thread of its own, begun when it is first asked. */
export interface OpaThread {
  /** One after the other, in order. Rejects with a GatehouseError, after which the next request starts anew. */
  ask(request: OpaRequest): Promise<unknown>;
  /** How many threads were begun so far. */
  readonly starts: number;
  close(): Promise<void>;
}

interface Waiting {
  readonly request: OpaRequest;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: GatehouseError) => void;
}

const DEADLINE_MS = 60_000;
const IDLE_MS = 60_000;
/** Compiled code weighs about 200 MB; a thread begun with it is ready in a fifth of the time. */
const FORGET_AFTER_IDLE_TIMES = 10;
const MAX_MEMORY_BYTES = 2 ** 31;
/** Linear memory never shrinks: beyond this a thread is not kept. */
const KEEP_MEMORY_BYTES = 256 * 2 ** 20;
/** Sources nested as deeply as OPA's parser allows. */
const STACK_MB = 64;
// From `src` as from `dist`.
const ARTIFACT = new URL("../../tools/opa/opa.wasm.br", import.meta.url);
/** Of the artifact that is used when no other one is named: its version. */
export const OPA_CHECKSUMS: URL = new URL("./opa.wasm.sha256", ARTIFACT);

/** Nothing is read and no thread begun before the first request. */
export function createOpaThread(options: OpaThreadOptions = {}): OpaThread {
  const { deadlineMs = DEADLINE_MS, idleMs = IDLE_MS } = options;
  const { artifact = ARTIFACT, maxMemoryBytes = MAX_MEMORY_BYTES } = options;
  const queue: Waiting[] = [];
  let current: { readonly worker: Worker; readonly ended: Promise<void> } | undefined;
  let module: WasmModule | undefined;
  let asked: Waiting | undefined;
  let isReady = false;
  let deadline: NodeJS.Timeout | undefined;
  let idle: NodeJS.Timeout | undefined;
  let starts = 0;
  let closed = false;

  const begin = (): Worker => {
    starts++;
    isReady = false;
    const worker = spawn({
      artifact: fileURLToPath(artifact),
      checksums: fileURLToPath(new URL("./opa.wasm.sha256", artifact)),
      module,
      maxMemoryBytes,
    });
    worker.on("message", (message: FromOpaThread) => {
      if (current?.worker === worker) hear(message);
    });
    const fail = (error: Error): void => {
      if (current?.worker === worker) finish("worker", `the Rego compiler ended: ${error.message}`);
    };
    worker.on("error", fail);
    const ended = new Promise<void>((resolve) => {
      worker.on("exit", (code) => {
        fail(new Error(`exit ${code}`));
        resolve();
      });
    });
    current = { worker, ended };
    return worker;
  };

  const hear = (message: FromOpaThread): void => {
    switch (message.type) {
      case "ready":
        module = message.module;
        isReady = true;
        if (asked !== undefined) current?.worker.postMessage(asked.request);
        return;
      case "unusable":
        finish("source", `the Rego compiler cannot start: ${message.message}`);
        return;
      case "failure": {
        const told = message.message.split("\n", 1)[0] ?? "";
        finish("worker", `the Rego compiler failed: ${told}`, message.broken);
        return;
      }
      case "answer": {
        const done = asked;
        settle();
        if (message.memoryBytes > KEEP_MEMORY_BYTES) drop();
        done?.resolve(message.answer);
        next();
        return;
      }
    }
  };

  const settle = (): void => {
    asked = undefined;
    clearTimeout(deadline);
  };

  /** Ends what is asked with an error, and the thread unless it is whole. */
  const finish = (code: "worker" | "source" | "timeout", message: string, isBroken = true): void => {
    const failed = asked;
    settle();
    if (isBroken) drop();
    failed?.reject(new GatehouseError(code, message));
    next();
  };

  const drop = (): void => {
    const worker = current?.worker;
    current = undefined;
    isReady = false;
    worker?.terminate().catch(() => {});
  };

  const next = (): void => {
    clearTimeout(idle);
    if (closed || asked !== undefined) return;
    asked = queue.shift();
    if (asked === undefined) {
      rest(1);
      return;
    }
    deadline = setTimeout(() => {
      finish("timeout", `the Rego compiler took more than ${deadlineMs} ms`);
    }, deadlineMs);
    const worker = current?.worker ?? begin();
    worker.ref();
    if (isReady) worker.postMessage(asked.request);
  };

  const rest = (times: number): void => {
    current?.worker.unref();
    idle = setTimeout(() => {
      drop();
      if (times < FORGET_AFTER_IDLE_TIMES) rest(times + 1);
      else module = undefined;
    }, idleMs).unref();
  };

  return {
    ask(request) {
      return new Promise((resolve, reject) => {
        if (closed) return reject(new GatehouseError("worker", "the Rego compiler is closed"));
        queue.push({ request, resolve, reject });
        next();
      });
    },
    get starts() {
      return starts;
    },
    async close() {
      closed = true;
      module = undefined;
      clearTimeout(idle);
      const { ended } = current ?? {};
      const left = asked === undefined ? queue.splice(0) : [asked, ...queue.splice(0)];
      settle();
      drop();
      for (const { reject } of left) reject(new GatehouseError("worker", "the Rego compiler is closed"));
      await ended;
    },
  };
}

/**
 * Compiled, the entry is JavaScript; from the sources (tests, demo) it is TypeScript, which tsx reads. In a thread of
 * Node 20 tsx cannot be given by `--import`, so the thread registers it itself.
 */
function spawn(workerData: OpaThreadData): Worker {
  const options = { workerData, env: {}, argv: [], resourceLimits: { stackSizeMb: STACK_MB } };
  if (!import.meta.url.endsWith(".ts")) {
    return new Worker(new URL("./opa-worker.js", import.meta.url), options);
  }
  const tsx = createRequire(import.meta.url)
    .resolve("tsx/esm/api")
    .replace(/\.cjs$/, ".mjs");
  const [api, entry] = [pathToFileURL(tsx).href, new URL("./opa-worker.ts", import.meta.url).href];
  const code = `import("${api}").then(({ register }) => { register(); return import("${entry}"); })`;
  return new Worker(code, { ...options, eval: true });
}
