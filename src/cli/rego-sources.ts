import { type Dirent, readdirSync, readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { jsonText, parseValue } from "../builtins/index.js";
import { GatehouseError, show } from "../diagnostics/index.js";
import { isConfiguration, joinData, type Modules, readFolder } from "../rego/index.js";
import type { Streams } from "./streams.js";

/** What the paths of a command hold. */
export interface RegoSources {
  /** Without tests, by the path that findings print. */
  readonly modules: Modules;
  /** `*_test.rego`. */
  readonly tests: Modules;
  /** JSON of an object: all data files joined. */
  readonly data: string;
}

/** How paths are read. */
export interface ReadingOptions {
  /** Data files matter. */
  readonly withData: boolean;
}

/** Name of the module that standard input is. */
const STDIN = "stdin.rego";
const moduleName = /\.rego$/;
const dataName = /\.(?:json|ya?ml)$/;
/** Of all files together. */
const MAX_BYTES = 256 * 1024 * 1024;
const MAX_FILES = 10_000;

/**
 * Reads files and folders; `-` is one module from standard input. A file that is named itself stands at the root of
 * `data`, one of a folder under the folders below that. What begins with `.`, data that begins with `_`, and documents
 * of Gatehouse's own configuration are left out of folders. Throws `bad_flag` for paths that cannot be read, and
 * `source` for data that is none.
 */
export async function readSources(
  paths: readonly string[],
  { withData }: ReadingOptions,
  streams: Pick<Streams, "stdin">,
): Promise<RegoSources> {
  const budget = { bytes: MAX_BYTES, files: MAX_FILES };
  let modules: Modules = {};
  let tests: Modules = {};
  let data = parseValue("{}");
  for (const path of paths) {
    if (path === "-") {
      modules = { ...modules, [STDIN]: await streams.stdin() };
      continue;
    }
    const { base, files } = filesOf(path, withData, budget);
    const { content, findings } = readFolder(files, "");
    const [problem] = findings;
    if (problem !== undefined) {
      const file = join(base, problem.place?.file ?? "");
      throw new GatehouseError("source", `${file}: ${problem.message}`);
    }
    modules = { ...modules, ...below(base, content.modules) };
    tests = { ...tests, ...below(base, content.tests) };
    try {
      data = joinData(data, parseValue(content.data));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new GatehouseError("source", `data of ${show(path)}: ${why}`, { cause });
    }
  }
  return { modules, tests, data: jsonText(data) };
}

/** The modules, with the tests among them. Throws `bad_flag` when there are none. */
export function someModules({ modules, tests }: Pick<RegoSources, "modules" | "tests">): Modules {
  const all = { ...modules, ...tests };
  if (Object.keys(all).length > 0) return all;
  throw new GatehouseError(
    "bad_flag",
    "no module is named, expected files that end in .rego or folders with some",
  );
}

interface Budget {
  bytes: number;
  files: number;
}

interface Tree {
  /** What the names start from. */
  readonly base: string;
  readonly files: readonly (readonly [path: string, text: string])[];
}

function filesOf(path: string, withData: boolean, budget: Budget): Tree {
  const stats = statOf(path);
  if (!stats.isDirectory()) {
    const name = basename(path);
    if (!moduleName.test(name) && !dataName.test(name)) {
      const expected = "a folder or a file that ends in .rego, .json, .yaml or .yml";
      throw new GatehouseError("bad_flag", `cannot read ${show(path)}, expected ${expected}`);
    }
    const isWanted = withData || moduleName.test(name);
    return { base: dirname(path), files: isWanted ? [[name, textOf(path, budget)]] : [] };
  }
  const files: [string, string][] = [];
  const visited = new Set<string>();
  const visit = (below: string): void => {
    const real = realpathSync(join(path, below));
    if (visited.has(real)) return;
    visited.add(real);
    for (const name of namesIn(real)) {
      const at = join(below, name);
      const file = join(path, at);
      const child = statOf(file);
      if (child.isDirectory()) visit(at);
      else if (!child.isFile()) continue;
      else if (moduleName.test(name)) files.push([at, textOf(file, budget)]);
      else if (withData && dataName.test(name) && !name.startsWith("_")) {
        const text = textOf(file, budget);
        if (!isConfiguration(text)) files.push([at, text]);
      }
    }
  };
  visit("");
  return { base: path, files };
}

function namesIn(folder: string): string[] {
  const entries: Dirent[] = readdirSync(folder, { withFileTypes: true });
  return entries
    .map(({ name }) => name)
    .filter((name) => !name.startsWith("."))
    .sort();
}

function statOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (cause) {
    throw new GatehouseError("bad_flag", `cannot read ${show(path)}`, { cause });
  }
}

function textOf(path: string, budget: Budget): string {
  const bytes = readBytes(path);
  budget.bytes -= bytes.length;
  budget.files--;
  if (budget.bytes < 0 || budget.files < 0) {
    const limit = `${MAX_FILES} files of together ${MAX_BYTES} bytes`;
    throw new GatehouseError("bad_flag", `too much to read, expected at most ${limit}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new GatehouseError("source", `${show(path)} is not UTF-8`, { cause });
  }
}

/** Throws `bad_flag` when the file cannot be read. */
export function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new GatehouseError("bad_flag", `cannot read ${show(path)}`, { cause });
  }
}

function below(base: string, modules: Modules): Modules {
  return Object.fromEntries(Object.entries(modules).map(([name, text]) => [join(base, name), text]));
}
