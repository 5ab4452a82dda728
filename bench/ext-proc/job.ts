import { fileURLToPath } from "node:url";
import { type GeneratorProcess, startGeneratorProcess } from "../generator-process.js";

/** The body of every response. */
export interface Expected {
  readonly bytes?: number;
  /** What has to stand in it, and what must not. */
  readonly has?: readonly string[];
  readonly lacks?: readonly string[];
}

/** What a generator is told to do; `parallel` of `count` are under way at one time. */
export type Job = { readonly port: number; readonly count: number; readonly parallel: number } & (
  | {
      /** GETs over one connection of cleartext HTTP/2, each answered with 200. */
      readonly kind: "http2";
      readonly expected: Expected;
    }
  | {
      /** Streams of external processing as Envoy would open them for the benchmark's request. */
      readonly kind: "streams";
      /** How the filter is configured. */
      readonly responseHeaders: "SEND" | "SKIP";
      readonly responseBody: "NONE" | "BUFFERED" | "FULL_DUPLEX_STREAMED";
      /** Of the response; 0: it has none. */
      readonly bodyBytes: number;
      readonly expected: Expected;
    }
  | {
      /** `count` such streams, all at one time, which stay open in the middle of their bodies until the next job. */
      readonly kind: "held";
      readonly bodyBytes: number;
      readonly chunkBytes: number;
      /** False: what comes back is left lying. */
      readonly reads: boolean;
    }
);

/** What came of it. */
export interface JobResult {
  readonly seconds: number;
  /** Of `held`: bytes of bodies that went in, and that came out. */
  readonly sent: number;
  readonly received: number;
}

/** A process that sends as it is told; a job is rejected when something is not answered as it must be. */
export type Generator = GeneratorProcess<Job, JobResult>;

/** Starts a generator. */
export function startGenerator(): Generator {
  return startGeneratorProcess(fileURLToPath(new URL("generator.ts", import.meta.url)));
}
