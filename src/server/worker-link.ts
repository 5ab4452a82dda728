import cluster from "node:cluster";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { GatehouseError } from "../diagnostics/index.js";
import { createLineLink, LINES_FD, type LineLink } from "./line-link.js";
import type { FromWorker, ToWorker } from "./messages.js";

/** The primary's end of a worker process. */
export interface WorkerLink {
  readonly pid: number | undefined;
  /** For the ledger: a line costs a third of what a message does. */
  readonly lines: LineLink;
  /** Messages arrive in order, or not at all when the worker has ended. */
  send(message: ToWorker): void;
  onMessage(listener: (message: FromWorker) => void): void;
  onExit(listener: (why: { readonly code: number | null; readonly signal: string | null }) => void): void;
  kill(): void;
}

/** Starts a worker process; workers share ports through the primary, which hands out connections in turn. */
export function forkWorker(): WorkerLink {
  // `.ts` when the sources run without a build.
  const entry = import.meta.url.endsWith(".ts") ? "worker.ts" : "worker.js";
  const exec = fileURLToPath(new URL(entry, import.meta.url));
  cluster.setupPrimary({
    exec,
    args: [],
    serialization: "advanced",
    // The last is descriptor LINES_FD.
    stdio: ["inherit", "inherit", "inherit", "ipc", "pipe"],
  });
  const worker = cluster.fork();
  // A failed send shows as the worker's exit, which is handled.
  worker.on("error", () => {});
  return {
    pid: worker.process.pid,
    lines: createLineLink(worker.process.stdio[LINES_FD] as Duplex),
    send(message) {
      if (worker.isConnected()) worker.send(message);
    },
    onMessage: (listener) => void worker.on("message", listener),
    onExit: (listener) => void worker.once("exit", (code, signal) => listener({ code, signal })),
    kill: () => void worker.process.kill("SIGKILL"),
  };
}

type Answer<Type> = Extract<FromWorker, { type: Type }>;

/** A worker of which answers can be awaited. */
export interface Conversation {
  readonly link: WorkerLink;
  /**
   * The next message of a type. Rejects with `worker` when it does not come in time or the worker ends. Ask
   * first, then send what is to be answered.
   */
  next<Type extends FromWorker["type"]>(
    type: Type,
    withinMs: number,
    fits?: (message: Answer<Type>) => boolean,
  ): Promise<Answer<Type>>;
}

/** Listens to a worker. */
export function converse(link: WorkerLink): Conversation {
  const waiting = new Set<(message: FromWorker | undefined) => void>();
  link.onMessage((message) => {
    for (const tell of [...waiting]) tell(message);
  });
  link.onExit(() => {
    for (const tell of [...waiting]) tell(undefined);
  });
  return {
    link,
    next: (type, withinMs, fits = () => true) =>
      new Promise((resolve, reject) => {
        const settle = (done: () => void): void => {
          clearTimeout(timer);
          waiting.delete(listener);
          done();
        };
        const fail = (why: string): void => settle(() => reject(new GatehouseError("worker", why)));
        const timer = setTimeout(() => fail(`a worker gave no \`${type}\` within ${withinMs} ms`), withinMs);
        const listener = (message: FromWorker | undefined): void => {
          if (message === undefined) fail(`a worker ended before it gave \`${type}\``);
          else if (isOf(message, type) && fits(message)) settle(() => resolve(message));
        };
        waiting.add(listener);
      }),
  };
}

function isOf<Type extends FromWorker["type"]>(message: FromWorker, type: Type): message is Answer<Type> {
  return message.type === type;
}
