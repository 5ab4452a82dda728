import { fileURLToPath } from "node:url";
import { type GeneratorProcess, startGeneratorProcess } from "../generator-process.js";

/** Where a payload holds this, each request has another number; of all in one process. */
export const NUMBER_PLACE = "########";

/** A fixed number of requests, `parallel` of them under way at one time. */
export type Job = { readonly port: number; readonly count: number; readonly parallel: number } & (
  | {
      readonly kind: "grpc";
      /** Bytes of requests in base64, sent in turn. */
      readonly payloads: readonly string[];
      /** Default: that of Check. */
      readonly path?: string;
      /** Connections that share the requests; default 1. */
      readonly connections?: number;
      /** In base64, what every answer begins with; when left out all answers must have one length. */
      readonly answerStart?: string;
    }
  | { readonly kind: "http" /** The whole request as it goes on the wire. */; readonly head: string }
);

/** What came of one run of requests. */
export interface JobResult {
  readonly seconds: number;
}

/** A process that sends requests as it is told; a job is rejected when one is not answered as it must be. */
export type Generator = GeneratorProcess<Job, JobResult>;

/** Starts the load generator. */
export function startGenerator(): Generator {
  return startGeneratorProcess(fileURLToPath(new URL("generator.ts", import.meta.url)));
}
