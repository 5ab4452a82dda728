import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isArray, isObject, jsonText, readYaml, type Value } from "../../src/builtins/index.js";
import type { BuildRequest, RegoVersion } from "../../src/rego/index.js";

/** One of OPA's own cases: how it is asked here, and what OPA's Go evaluator answers. */
export interface ComplianceCase {
  /** Of the file's folder, and the note: `v1/time/time/parse_nanos`. Some share theirs. */
  readonly id: string;
  readonly build: BuildRequest;
  /** JSON of an object. */
  readonly data: string;
  /** A Rego term without variables; undefined: no input. */
  readonly input: string | undefined;
  readonly environment: ReadonlyMap<string, string>;
  /** The variable that the answer is the value of; undefined: the answer is the list of all bindings. */
  readonly variable: string | undefined;
  readonly want: Want;
}

/** What has to come out. */
export type Want =
  /** These bindings of variables, in any order; of arrays with `sorted` the order does not matter. */
  | { readonly kind: "bindings"; readonly rows: readonly Value[]; readonly sorted: boolean }
  | { readonly kind: "error"; readonly code: string }
  /**
   * An error of a builtin, which OPA tells only when it is asked to (`strict_error`): modules compiled to wasm cannot
   * be, and OPA's own run of the cases on wasm (internal/wasm/sdk/test/e2e) then expects that there is no answer.
   */
  | { readonly kind: "undefined" };

const versions: readonly RegoVersion[] = ["v0", "v1"];

/** Reads all cases of OPA's Go module; those of both versions of the language that have one note are neighbours. */
export function readComplianceCases(moduleFolder: string): readonly ComplianceCase[] {
  const cases = versions.flatMap((version) => {
    const folder = join(moduleFolder, "v1/test/cases/testdata", version);
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
    return names
      .filter((name) => name.endsWith(".yaml"))
      .sort()
      .flatMap((name, i) => casesOf(join(folder, name), version).map((one) => ({ one, name, i })));
  });
  return cases.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.i - b.i)).map(({ one }) => one);
}

/** As in OPA, YAML is JSON written otherwise: numbers are those of Go's decoder. */
function casesOf(file: string, version: RegoVersion): ComplianceCase[] {
  const group = basename(dirname(file));
  return items(member(readYaml(readFileSync(file, "utf8")), "cases")).map((one) => {
    const query = text(member(one, "query"));
    const [variable, simple] = singleVariable(query);
    const want = wantOf(one);
    const data = member(one, "data");
    const environment = member(one, "env");
    return {
      id: `${version}/${group}/${text(member(one, "note"))}`,
      build: {
        modules: Object.fromEntries(
          items(member(one, "modules")).map((module, i) => [`module-${i}.rego`, text(module)]),
        ),
        query: simple ?? allBindings(query, want),
        regoVersion: version,
      },
      data: isObject(data ?? null) ? jsonText(data ?? null) : "{}",
      input: inputOf(one),
      environment: new Map(
        isObject(environment ?? null)
          ? [...(environment as ReadonlyMap<Value, Value>)].map(([key, value]) => [text(key), text(value)])
          : [],
      ),
      variable,
      want,
    };
  });
}

/** Most queries are `data.p = x`: what policies are asked for is the left side alone. */
function singleVariable(query: string): readonly [string, string] | readonly [undefined, undefined] {
  const [, term, variable] = /^(data(?:\.\w+)*) = ([a-z])$/.exec(query) ?? [];
  if (term !== undefined && variable !== undefined) return [variable, term];
  const [, first, second] = /^([a-z]) = (data(?:\.\w+)*)$/.exec(query) ?? [];
  return first !== undefined && second !== undefined ? [first, second] : [undefined, undefined];
}

/** Any other query is asked for its bindings: `[{"x": x} | QUERY]`. */
function allBindings(query: string, want: Want): string {
  const [row = new Map()] = want.kind === "bindings" ? want.rows : [];
  const names = isObject(row) ? [...row.keys()].map((name) => text(name)) : [];
  return `[{${names.map((name) => `"${name}": ${name}`).join(", ")}} | ${query.trim()}]`;
}

function inputOf(one: Value): string | undefined {
  const term = member(one, "input_term");
  // Rego allows a comma behind the last member.
  if (term !== undefined) return text(term).replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, "$1");
  const input = member(one, "input");
  return input === undefined ? undefined : jsonText(input);
}

/** In the order of OPA's own run on wasm. */
function wantOf(one: Value): Want {
  const rows = member(one, "want_result");
  if (rows !== undefined) {
    return { kind: "bindings", rows: items(rows), sorted: member(one, "sort_bindings") === true };
  }
  if (member(one, "strict_error") === true) return { kind: "undefined" };
  return { kind: "error", code: text(member(one, "want_error_code")) };
}

function member(value: Value, key: string): Value | undefined {
  return isObject(value) ? value.get(key) : undefined;
}

function items(value: Value | undefined): readonly Value[] {
  return value !== undefined && isArray(value) ? value : [];
}

function text(value: Value | undefined): string {
  if (typeof value !== "string") throw new Error(`expected a text in a case, not ${jsonText(value ?? null)}`);
  return value;
}
