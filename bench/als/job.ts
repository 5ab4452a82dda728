import { fileURLToPath } from "node:url";
import { type GeneratorProcess, startGeneratorProcess } from "../generator-process.js";
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
export type Generator = GeneratorProcess<Job, JobResult>;

/** Starts a generator. */
export function startGenerator(): Generator {
  return startGeneratorProcess(fileURLToPath(new URL("generator.ts", import.meta.url)));
}
