import { isArray, isObject, jsonText, parseValue, readYaml, type Value } from "../builtins/index.js";
import { codes, type Finding, finding, show } from "../diagnostics/index.js";
import type { Modules } from "./compiler.js";

/** What a folder of Rego holds. */
export interface FolderContent {
  readonly modules: Modules;
  /** Tests, which no request needs. */
  readonly tests: Modules;
  /** JSON of an object. */
  readonly data: string;
}

const noData = "{}";

/**
 * Sorts the files of a folder: `*.rego` are modules, `*_test.rego` tests, `*.json`, `*.yaml` and `*.yml` data. As `opa
 * eval --data DIR` does it: a data file in `a/b/` stands under `data.a.b`, its own name says nothing, and several are
 * joined. Findings name the file.
 */
export function readFolder(
  files: readonly (readonly [path: string, text: string])[],
  prefix: string,
): { readonly content: FolderContent; readonly findings: readonly Finding[] } {
  const modules: [string, string][] = [];
  const tests: [string, string][] = [];
  const findings: Finding[] = [];
  let data: Value = new Map();
  for (const [path, text] of files) {
    const name = prefix === "" ? path : `${prefix.replace(/(?<=[^/])\/+$/, "")}/${path}`;
    if (path.endsWith(".rego")) (path.endsWith("_test.rego") ? tests : modules).push([name, text]);
    else {
      try {
        data = joinData(data, at(path.split("/").slice(0, -1), readData(path, text)));
      } catch (error) {
        const why = error instanceof Error ? error.message : "cannot be read";
        findings.push({
          ...finding(codes.regoData, ["spec", "path"], `data file ${show(name)}: ${why}`),
          place: { file: name, line: 1, column: 1 },
        });
      }
    }
  }
  const content = {
    modules: Object.fromEntries(modules),
    tests: Object.fromEntries(tests),
    data: isObject(data) ? jsonText(data) : noData,
  };
  return { content, findings };
}

const ownGroup = /^["']?apiVersion["']?\s*:\s*["']?(?:gatehouse\.dev|[a-z]+\.istio\.io)\//m;

/** Whether a text beside modules is configuration and no data: the RegoPolicy that names a folder often stands in it. */
export function isConfiguration(text: string): boolean {
  return ownGroup.test(text) && /^["']?kind["']?\s*:/m.test(text);
}

/** Joins two base documents: objects are merged, and two other values for one path are an error. Throws an Error. */
export function joinData(a: Value, b: Value, path = "data"): Value {
  if (!isObject(a) || !isObject(b)) {
    throw new Error(`${show(path)} is given twice, expected one value`);
  }
  const joined = new Map(a);
  for (const [key, value] of b) {
    const other = joined.get(key);
    joined.set(key, other === undefined ? value : joinData(other, value, `${path}.${String(key)}`));
  }
  return joined;
}

/** A text that is JSON, with its numbers as written. Throws an Error. */
export function readJson(text: string): Value {
  try {
    JSON.parse(text);
  } catch {
    throw new Error("not valid JSON");
  }
  return parseValue(text);
}

/** Parsed off the serving thread; a text of 128 MiB, the most that a folder may have, is refused by its nodes. */
const yamlLimits = { units: 128 * 1024 * 1024, nodes: 1_000_000 };

/** Only what stands at the root of `data` has to be a mapping; an empty YAML file says nothing. */
function readData(path: string, text: string): Value {
  const value = path.endsWith(".json") ? readJson(text) : (readYamlFile(text) ?? new Map());
  if (isObject(value) || path.includes("/")) return value;
  throw new Error(`expected a mapping, found ${isArray(value) ? "a list" : "a single value"}`);
}

function readYamlFile(text: string): Value {
  try {
    return readYaml(text, yamlLimits);
  } catch {
    throw new Error("not valid YAML");
  }
}

function at(path: readonly string[], value: Value): Value {
  return path.reduceRight((inner: Value, key) => new Map([[key, inner]]), value);
}
