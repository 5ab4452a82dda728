import { writeFile } from "node:fs/promises";
import { formatDiagnostic, GatehouseError, show } from "../diagnostics/index.js";
import { queryOfEntrypoint, refusedBuiltins } from "../rego/index.js";
import { findingLines, type RegoOptions, versionOf, withOpa } from "./rego-opa.js";
import { readSources, someModules } from "./rego-sources.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/** Options of `gatehouse rego build`. */
export interface RegoBuildOptions extends RegoOptions {
  /** `envoy/authz/allow`. */
  readonly entrypoint: string;
  /** File to write. */
  readonly out: string;
}

/**
 * Compiles modules, without their tests, to one wasm module. 1 and nothing is written when they have errors, or call
 * builtins that the server refuses.
 */
export async function buildRego(
  paths: readonly string[],
  options: RegoBuildOptions,
  streams: Streams,
): Promise<ExitCode> {
  const { modules } = await readSources(paths, { withData: false }, streams);
  someModules({ modules, tests: {} });
  const query = queryOf(options.entrypoint);
  const request = { modules, query, regoVersion: versionOf(options) };
  const { wasm, findings, builtins } = await withOpa(streams, (opa) => opa.build(request));
  const refused = refusedBuiltins(builtins);
  streams.err(findingLines(findings) + refused.map((one) => `${formatDiagnostic(one)}\n`).join(""));
  if (wasm === undefined || refused.length > 0) return exit.findings;
  try {
    await writeFile(options.out, wasm);
  } catch (cause) {
    throw new GatehouseError("bad_flag", `cannot write ${show(options.out)}`, { cause });
  }
  streams.out(`${options.out}: ${wasm.length} bytes, answers ${options.entrypoint}\n`);
  return exit.fine;
}

/** The term that an entrypoint names. Throws `bad_flag` for one that names everything. */
export function queryOf(entrypoint: string): string {
  const query = queryOfEntrypoint(entrypoint);
  if (query !== "data") return query;
  throw new GatehouseError(
    "bad_flag",
    `bad entrypoint \`${entrypoint}\`, expected a rule or a package, for example envoy/authz/allow`,
  );
}
