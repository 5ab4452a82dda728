import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Sampled } from "./entries.js";

/** What a generator is told to do. */
export type Job =
  | {
      readonly kind: "entries";
      readonly port: number;
      /** About so many, in whole messages. */
      readonly count: number;
      /** Entries a second; undefined: as fast as they are taken. */
      readonly rate?: number;
      readonly sampled: Sampled;
    }
  | {
      readonly kind: "checks";
      readonly port: number;
      readonly count: number;
      readonly rate: number;
      /** A CheckRequest in base64. */
      readonly payload: string;
    };

/** What came of it. */
export interface JobResult {
  readonly seconds: number;
  /** Entries that were sent. */
  readonly entries: number;
  /** Sorted, milliseconds, of checks. */
  readonly latencies: readonly number[];
}

/** A process that sends as it is told. */
export interface Generator {
  run(job: Job): Promise<JobResult>;
  stop(): void;
}

/** Starts a generator. */
export function startGenerator(): Generator {
  const child: ChildProcess = fork(fileURLToPath(new URL("generator.ts", import.meta.url)));
  return {
    run: (job) =>
      new Promise((resolve, reject) => {
        const onExit = (): void => reject(new Error("the generator ended"));
        child.once("exit", onExit);
        child.once("message", (result) => {
          child.removeListener("exit", onExit);
          resolve(result as JobResult);
        });
        child.send(job);
      }),
    stop: () => void child.kill(),
  };
}
