import { writeFile } from "node:fs/promises";
import { GatehouseError } from "../diagnostics/index.js";
import { unifiedDiff } from "./line-diff.js";
import { findingLines, type RegoOptions, versionOf, withOpa } from "./rego-opa.js";
import { readSources, someModules } from "./rego-sources.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/** Options of `gatehouse rego fmt`. */
export interface RegoFmtOptions extends RegoOptions {
  readonly write?: boolean;
  readonly diff?: boolean;
  readonly list?: boolean;
  readonly fail?: boolean;
}

/**
 * Prints modules as OPA formats them, or their differences or the names of those that differ, or rewrites these. 1 when
 * a module cannot be parsed, and with `fail` when one differs.
 */
export async function formatRego(
  paths: readonly string[],
  options: RegoFmtOptions,
  streams: Streams,
): Promise<ExitCode> {
  const { write, diff, list, fail } = options;
  const named = paths.length === 0 ? ["-"] : paths;
  if (write && named.includes("-")) {
    throw new GatehouseError("bad_flag", "`--write` needs files, standard input cannot be rewritten");
  }
  if (diff && list)
    throw new GatehouseError("bad_flag", "`--list` stands beside `--diff`, expected one of them");
  const modules = someModules(await readSources(named, { withData: false }, streams));
  const request = { modules, regoVersion: versionOf(options) };
  const { formatted, findings } = await withOpa(streams, (opa) => opa.fmt(request));
  streams.err(findingLines(findings));
  const changed = Object.entries(formatted).filter(([name, text]) => text !== modules[name]);
  if (diff) for (const [name, text] of changed) streams.out(unifiedDiff(name, modules[name] ?? "", text));
  else if (list || write) for (const [name] of changed) streams.out(`${name}\n`);
  else for (const text of Object.values(formatted)) streams.out(text);
  if (write) await Promise.all(changed.map(([name, text]) => writeFile(name, text)));
  return findings.length > 0 || (fail && changed.length > 0) ? exit.findings : exit.fine;
}
