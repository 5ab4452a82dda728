import { BuiltinError } from "./builtin.js";
import { parseGoUrl } from "./go-url.js";
import { isArray, isObject, type RegoObject, type Value } from "./value.js";

/** The schemas that references can reach. */
export interface Pool {
  /** The absolute reference of each object with a `$ref`. */
  readonly references: ReadonlyMap<RegoObject, string>;
  /** What a reference leads to; throws a BuiltinError when there is nothing, or only something on the network. */
  readonly resolve: (reference: string) => Value;
}

/** Stands before references of a schema that has no `$id`, so that a URL can be made of them. */
const nowhere = "nowhere:";

/** Reads all `$id` (`id`) and `$ref` of a schema's JSON. */
export function poolOf(root: Value): Pool {
  const documents = new Map<string, Value>([[nowhere, root]]);
  const references = new Map<RegoObject, string>();
  const visit = (value: Value, base: string): void => {
    if (isArray(value)) {
      for (const item of value) visit(item, base);
      return;
    }
    if (!isObject(value)) return;
    const id = value.get(value.has("id") ? "id" : "$id");
    const local = typeof id === "string" ? joined(base, id) : base;
    if (typeof id === "string" && local !== undefined) {
      if (documents.has(local)) throw new BuiltinError(`Reference already exists: "${shown(local)}"`);
      documents.set(local, value);
    }
    const reference = value.get("$ref");
    const scope = local ?? base;
    if (typeof reference === "string") references.set(value, joined(scope, reference) ?? reference);
    for (const [key, member] of value) {
      if (key === "const" || key === "enum") continue;
      const named = key === "properties" || key === "dependencies" || key === "patternProperties";
      if (!named) visit(member, scope);
      else if (isObject(member)) for (const schema of member.values()) visit(schema, scope);
    }
  };
  visit(root, nowhere);
  return { references, resolve: (reference) => resolved(documents, reference) };
}

/** A reference from a base; without an empty fragment. Undefined for what is no URL. */
function joined(base: string, reference: string): string | undefined {
  try {
    parseGoUrl(reference);
    if (reference === "" || reference === "#") return base.replace(/#.*$/s, "");
    if (reference.startsWith("#")) return base.replace(/#.*$/s, "") + reference;
    return new URL(reference, base === nowhere ? `${nowhere}/` : base).href.replace(/#$/, "");
  } catch {
    return undefined;
  }
}

/** A reference as it is shown. */
export function shown(reference: string): string {
  return reference.startsWith(nowhere) ? reference.slice(nowhere.length) : reference;
}

function resolved(documents: ReadonlyMap<string, Value>, reference: string): Value {
  const whole = documents.get(reference);
  if (whole !== undefined) return whole;
  const at = reference.indexOf("#");
  const document = documents.get(at < 0 ? reference : reference.slice(0, at));
  if (document !== undefined) return pointed(document, at < 0 ? "" : decoded(reference.slice(at + 1)));
  if (/^[a-z][a-z\d+.-]*:\/\/[^/]/i.test(reference)) {
    throw new BuiltinError(`remote reference loading disabled: ${reference}`);
  }
  throw new BuiltinError(`Reference ${shown(reference)} must be canonical`);
}

function decoded(fragment: string): string {
  return parseGoUrl(`#${fragment}`).fragment;
}

/** What a JSON pointer leads to; a fragment that is no pointer leads to the whole document, as in gojsonreference. */
function pointed(document: Value, pointer: string): Value {
  if (!pointer.startsWith("/")) return document;
  let value: Value = document;
  for (const token of pointer.slice(1).split("/")) {
    const child: Value | undefined = childOf(value, token);
    if (child === undefined) throw new BuiltinError(missing(value, token));
    value = child;
  }
  return value;
}

function childOf(value: Value, token: string): Value | undefined {
  if (isObject(value)) return value.get(unescaped(token));
  return isArray(value) && /^[+-]?\d{1,9}$/.test(token) ? value[Number(token)] : undefined;
}

function missing(value: Value, token: string): string {
  if (isObject(value)) return `Object has no key '${unescaped(token)}'`;
  if (!isArray(value)) return `Invalid token reference '${token}'`;
  if (!/^[+-]?\d+$/.test(token)) return `Invalid array index '${token}'`;
  return `Out of bound array[0,${value.length}] index '${Number(token)}'`;
}

function unescaped(token: string): string {
  return token.replaceAll("~1", "/").replaceAll("~0", "~");
}
