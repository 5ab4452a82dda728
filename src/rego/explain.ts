import { isObject, jsonText, parseValue, type RegoObject, type Value } from "../builtins/index.js";
import type { ProviderRequest } from "../engine/index.js";
import type { Modules, RegoVersion } from "./compiler.js";
import { describeRequest } from "./facts.js";
import { createInputWriter } from "./input.js";
import type { DataPiece } from "./program.js";
import type { RegoPolicy } from "./rego-policy.js";

/** What OPA needs to show how a policy came to its answer. */
export interface Inquiry {
  readonly modules: Modules;
  readonly regoVersion: RegoVersion;
  /** JSON of an object. */
  readonly data: string;
  /** JSON: what the policy was evaluated with. */
  readonly input: string;
}

/**
 * What a policy was asked; undefined when its sources are not known (a bundle of compiled wasm) or the request
 * has no input document.
 */
export function inquiryOf(policy: RegoPolicy, request: ProviderRequest): Inquiry | undefined {
  const { modules, regoVersion, parseBody, protoDescriptor } = policy;
  if (Object.keys(modules).length === 0) return undefined;
  const input = createInputWriter({ parseBody, protoDescriptor })(request.original, describeRequest(request));
  return input.ok ? { modules, regoVersion, data: wholeData(policy.data), input: input.json } : undefined;
}

/** Pieces that lie in objects of their own, so that these are filled in place. */
function wholeData(pieces: readonly DataPiece[]): string {
  let whole: Value = new Map();
  for (const { path, json } of pieces) {
    const value = parseValue(json);
    const last = path.at(-1);
    if (last === undefined) {
      whole = value;
      continue;
    }
    let at: Value = whole;
    for (const key of path.slice(0, -1)) at = (isObject(at) ? at.get(key) : undefined) ?? new Map();
    if (at instanceof Map) at.set(last, value);
  }
  return jsonText(whole);
}

/** A step of a reference: `.name`, `["name"]` or `[0]`. */
const step = /\.([A-Za-z_]\w*)|\[("(?:[^"\\]|\\.)*"|\d+)\]/gy;

/** `data["a"].b[0]` as `["a", "b", "0"]`; undefined for a term that is no such reference. */
function pathOf(reference: string): string[] | undefined {
  if (!reference.startsWith("data")) return undefined;
  const path: string[] = [];
  let at = 4;
  while (at < reference.length) {
    step.lastIndex = at;
    const found = step.exec(reference);
    if (found === null) return undefined;
    const [whole, name, quoted] = found;
    path.push(name ?? String(JSON.parse(quoted ?? '""')));
    at += whole.length;
  }
  return path;
}

/** The innermost of some packages (`data.envoy.authz`) in which a term lies that is evaluated. */
export function packageOf(query: string, packages: readonly string[]): string | undefined {
  const wanted = pathOf(query);
  if (wanted === undefined) return undefined;
  let best: { readonly name: string; readonly length: number } | undefined;
  for (const name of packages) {
    const path = pathOf(name);
    if (path === undefined || path.some((part, i) => part !== wanted[i])) continue;
    if (best === undefined || path.length > best.length) best = { name, length: path.length };
  }
  return best?.name;
}

/** What the rules of a package came to. */
export interface RuleValues {
  /** JSON by the rule's name. */
  readonly values: ReadonlyMap<string, string>;
  /** Rules without a value. Functions are not among them. */
  readonly undefined: readonly string[];
}

/**
 * The rules' part of a package's document (JSON, undefined: none has a value), which also holds data and further
 * packages. `rules` are references within the package, `allow` or `roles.admin`.
 */
export function valuesOf(
  document: string | undefined,
  rules: readonly string[],
  modules: Modules,
): RuleValues {
  const found = document === undefined ? new Map() : parseValue(document);
  const object: RegoObject = isObject(found) ? found : new Map();
  const values = new Map<string, string>();
  const missing: string[] = [];
  for (const name of new Set(rules.map((rule) => /^\w+/.exec(rule)?.[0] ?? rule))) {
    const value = object.get(name);
    if (value !== undefined) values.set(name, jsonText(value));
    else if (!isFunction(name, modules)) missing.push(name);
  }
  return { values, undefined: missing };
}

/** Only functions are followed by a parenthesis where a line begins. */
function isFunction(name: string, modules: Modules): boolean {
  const head = new RegExp(`^\\s*(?:default\\s+)?${name.replace(/\W/g, "\\$&")}\\(`, "m");
  return Object.values(modules).some((text) => head.test(text));
}
