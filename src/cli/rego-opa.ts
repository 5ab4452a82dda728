import { createOpaCompiler, type OpaCompiler } from "../adapters/index.js";
import { formatDiagnostic, GatehouseError } from "../diagnostics/index.js";
import type { RegoFinding, RegoVersion } from "../rego/index.js";
import { cacheDirOf } from "./cache-dir.js";
import type { Streams } from "./streams.js";

/** Options of all `gatehouse rego` commands. */
export interface RegoOptions {
  /** Modules are Rego v0. */
  readonly v0?: boolean | undefined;
}

/** The version of the language that the flags say. */
export function versionOf({ v0 }: RegoOptions): RegoVersion {
  return v0 === true ? "v0" : "v1";
}

/** Runs `work` with the embedded OPA, and ends its thread. */
export async function withOpa<T>({ env }: Streams, work: (opa: OpaCompiler) => Promise<T>): Promise<T> {
  const opa = createOpaCompiler({ cacheDir: cacheDirOf(env["GATEHOUSE_CACHE_DIR"], env) });
  try {
    return await work(opa);
  } finally {
    await opa.close();
  }
}

/** One line for each finding, as `validate` prints its own; one of the query has no file. */
export function findingLines(findings: readonly RegoFinding[]): string {
  return findings
    .map(({ file, ...finding }) => `${formatDiagnostic({ ...finding, file: file ?? "query" })}\n`)
    .join("");
}

/** Whether `--output json` is said. Throws `bad_flag`. */
export function wantsJson(output: string): boolean {
  if (output === "text" || output === "json") return output === "json";
  throw new GatehouseError("bad_flag", `unknown output \`${output}\`, expected text or json`);
}

/** A value as these commands print it. */
export function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** `1 module`, `2 modules`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
