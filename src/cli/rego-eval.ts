import { existsSync } from "node:fs";
import { parse } from "yaml";
import { GatehouseError, show } from "../diagnostics/index.js";
import { indentJson } from "./indent-json.js";
import { findingLines, type RegoOptions, versionOf, withOpa } from "./rego-opa.js";
import { readBytes, readSources } from "./rego-sources.js";
import { type ExitCode, exit, type Streams } from "./streams.js";

/** Options of `gatehouse rego eval`. */
export interface RegoEvalOptions extends RegoOptions {
  /** Modules and data: files and folders. */
  readonly data?: readonly string[];
  /** File of JSON or YAML; `-` is standard input. */
  readonly input?: string;
  /** An undefined value is a finding. */
  readonly fail?: boolean;
}

/**
 * Evaluates a term over modules, data and an input and prints its value, or `undefined`. The term may stand last among
 * the paths.
 */
export async function evalRego(
  term: string | undefined,
  options: RegoEvalOptions,
  streams: Streams,
): Promise<ExitCode> {
  const { input: from, fail } = options;
  const { query, paths } = termOf(term, options.data ?? []);
  if (from === "-" && paths.includes("-")) {
    throw new GatehouseError("bad_flag", "standard input is named twice, expected one `-`");
  }
  const { modules, tests, data } = await readSources(paths, { withData: true }, streams);
  const input = from === undefined ? undefined : await readInput(from, streams);
  const request = { modules: { ...modules, ...tests }, data, input, query, regoVersion: versionOf(options) };
  const { value, findings, printed } = await withOpa(streams, (opa) => opa.eval(request));
  for (const line of printed) streams.err(`${line}\n`);
  if (findings.length > 0) {
    streams.err(findingLines(findings));
    return exit.findings;
  }
  streams.out(value === undefined ? "undefined\n" : `${indentJson(value)}\n`);
  return value === undefined && fail === true ? exit.findings : exit.fine;
}

/** `--data A B QUERY` gives all three to the option. */
function termOf(
  term: string | undefined,
  paths: readonly string[],
): { query: string; paths: readonly string[] } {
  if (term !== undefined) return { query: term, paths };
  const last = paths.at(-1);
  if (last === undefined || last === "-" || existsSync(last)) {
    throw new GatehouseError("bad_flag", "no query is given, expected a term like data.envoy.authz.allow");
  }
  return { query: last, paths: paths.slice(0, -1) };
}

async function readInput(from: string, { stdin }: Streams): Promise<string> {
  const text = from === "-" ? await stdin() : readBytes(from).toString("utf8");
  try {
    if (/\.ya?ml$/.test(from)) return JSON.stringify(parse(text) ?? null);
    JSON.parse(text);
    return text;
  } catch (cause) {
    const what = /\.ya?ml$/.test(from) ? "YAML" : "JSON";
    const name = from === "-" ? "standard input" : show(from);
    throw new GatehouseError("bad_request", `the input ${name} is not ${what}`, { cause });
  }
}
