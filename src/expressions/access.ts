import { spend } from "./budget.js";
import {
  type Compile,
  type Compiled,
  excerpt,
  type Frame,
  failure,
  literalOf,
  ofKind,
  type Run,
  type Scope,
} from "./compiled.js";
import { SourceError } from "./expression-error.js";
import type { Node } from "./syntax.js";
import { elementOf, mapOf, type Type, typeName, types, unify } from "./type.js";
import { entryOf, kindOf, type MapOperations, mapView, type Value } from "./value.js";
import { type Attribute, nearest } from "./vocabulary.js";

type Named = Extract<Node, { readonly op: "id" | "." }>;
type Find = (frame: Frame) => Value | undefined;

/** A part that may be missing: `run` throws where `find` finds nothing. */
function found(type: Type, find: Find, node: Node, scope: Scope): Compiled {
  const missing = failure(node, scope, "is not there");
  const run = (frame: Frame): Value => {
    const value = find(frame);
    if (value === undefined) throw missing();
    return value;
  };
  return { type, run, find };
}

/**
 * Compiles a name, with or without dots: a variable, an attribute, or a field of what stands before the dot.
 */
export function compileName(node: Named, scope: Scope, compile: Compile): Compiled {
  if (node.op === "id") {
    const at = scope.variables.findLastIndex(({ name }) => name === node.args);
    const variable = scope.variables[at];
    if (variable !== undefined)
      return { type: variable.type, run: ({ variables }) => variables[at] as Value };
  }
  const attribute = attributeAt(node, scope);
  if (attribute !== undefined) {
    if (attribute.refused !== undefined) throw new SourceError(node.start, attribute.refused);
    scope.used.add(attribute.name);
    const { type, read } = attribute;
    return found(type, (frame) => read(frame.input, frame), node, scope);
  }
  const path = pathOf(node, scope);
  if (path !== undefined && !hasAttributeBelow(node, scope)) throw unknownAttribute(path, node, scope);
  if (node.op === "id") throw unknownAttribute(node.args, node, scope);
  const [receiver, field] = node.args;
  return entry(node, receiver, literalOf(types.string, field), scope, compile);
}

/** Compiles `a[b]`. */
export function compileIndex(
  node: Extract<Node, { readonly op: "[]" }>,
  scope: Scope,
  compile: Compile,
): Compiled {
  const [receiver, index] = node.args;
  return entry(node, receiver, compile(index, scope), scope, compile);
}

function entry(node: Node, receiver: Node, key: Compiled, scope: Scope, compile: Compile): Compiled {
  const base = compile(receiver, scope);
  const { type } = base;
  const find: Find = base.find ?? base.run;
  if (type.kind !== "map" && type.kind !== "list" && type.kind !== "dyn") {
    const what = node.op === "." ? "fields" : "elements";
    throw new SourceError(
      node.start,
      `${excerpt(receiver, scope)} is a ${typeName(type)}, which has no ${what}`,
    );
  }
  checkKey(node, receiver, key, scope);
  const index = ofKey(type, key, node.op === "[]" ? node.args[1] : node, scope);
  return found(
    elementOf(type),
    (frame) => {
      const value = find(frame);
      return value === undefined ? undefined : partOf(value, index(frame), frame);
    },
    node,
    scope,
  );
}

/** A number of JSON is a double: as an index that only the request knows, one without a fraction will do. */
function ofKey({ kind }: Type, key: Compiled, node: Node, scope: Scope): Run {
  if (kind === "dyn") return key.run;
  if (kind === "map") return ofKind(key, ["string"], node, scope);
  return ofKind(key, key.type.kind === "dyn" ? ["int", "double"] : ["int"], node, scope);
}

function partOf(value: Value, key: Value, frame: Frame): Value | undefined {
  if (Array.isArray(value))
    return typeof key === "bigint" || typeof key === "number" ? value[Number(key)] : undefined;
  return typeof key === "string" && kindOf(value) === "map" ? entryOf(value, key, frame) : undefined;
}

/** Whether an attribute has something to say about keys, and what it says of this one. */
function checkKey(node: Node, receiver: Node, key: Compiled, scope: Scope): void {
  const check = isNamed(receiver) ? attributeAt(receiver, scope)?.checkKey : undefined;
  const wrong = typeof key.literal === "string" ? check?.(key.literal) : undefined;
  if (wrong !== undefined) throw new SourceError(node.op === "[]" ? node.args[1].start : node.pos, wrong);
}

/**
 * Compiles `has(a.b)`: whether all on the way is there. It never fails, not even where `a` is missing: a
 * request without a token has none of its claims.
 */
export function compileHas(node: Node, args: readonly Node[], scope: Scope, compile: Compile): Compiled {
  const [part] = args;
  if (args.length !== 1 || part === undefined || part.op !== ".")
    throw new SourceError(
      (part ?? node).start,
      "has() expects a field, as `has(request.auth.claims.org)`; of a key ask `'x-key' in request.headers`",
    );
  const { find } = compile(part, scope);
  return { type: types.bool, run: (frame) => find?.(frame) !== undefined };
}

function isNamed(node: Node): node is Named {
  return node.op === "id" || node.op === ".";
}

/** `a.b.c`; undefined where it does not begin with a name that could be an attribute's. */
function pathOf(node: Node, scope: Scope): string | undefined {
  if (node.op === "id") return scope.variables.some(({ name }) => name === node.args) ? undefined : node.args;
  if (node.op !== ".") return undefined;
  const before = pathOf(node.args[0], scope);
  return before === undefined ? undefined : `${before}.${node.args[1]}`;
}

function attributeAt(node: Named, scope: Scope): Attribute<never> | undefined {
  const path = pathOf(node, scope);
  return path === undefined ? undefined : scope.vocabulary.attributes.get(path);
}

/** Whether what stands before some dot is an attribute. */
function hasAttributeBelow(node: Node, scope: Scope): boolean {
  if (node.op !== ".") return false;
  const [receiver] = node.args;
  return (
    isNamed(receiver) && (attributeAt(receiver, scope) !== undefined || hasAttributeBelow(receiver, scope))
  );
}

function unknownAttribute(path: string, node: Node, { vocabulary }: Scope): SourceError {
  const names = [...vocabulary.attributes].flatMap(([name, { refused }]) =>
    refused === undefined ? name : [],
  );
  if (vocabulary.namespaces.has(path)) {
    const below = names.filter((name) => name.startsWith(`${path}.`)).map((name) => `\`${name}\``);
    return new SourceError(node.start, `\`${path}\` is no attribute by itself, expected ${below.join(", ")}`);
  }
  const near = nearest(path, names);
  const hint = near === undefined ? "" : `, did you mean \`${near}\`?`;
  return new SourceError(node.start, `unknown attribute \`${path}\`${hint}`);
}

const entries: MapOperations<ReadonlyMap<string, Value>> = {
  get: (source, key) => source.get(key),
  has: (source, key) => source.has(key),
  size: (source) => source.size,
  keys: (source) => source.keys(),
};

/** Compiles `{'a': 1}`. */
export function compileMap(
  node: Extract<Node, { readonly op: "map" }>,
  scope: Scope,
  compile: Compile,
): Compiled {
  let element: Type | undefined;
  const parts = node.args.map(([key, value]) => {
    const compiled = compile(value, scope);
    element = element === undefined ? compiled.type : (unify(element, compiled.type) ?? types.dyn);
    return [ofKind(compile(key, scope), ["string"], key, scope), compiled.run] as const;
  });
  const twice = failure(node, scope, "has a key twice");
  return {
    type: mapOf(element ?? types.dyn),
    run: (frame) => {
      spend(frame, 4 + 8 * parts.length);
      const made = new Map<string, Value>();
      for (const [key, value] of parts) made.set(key(frame) as string, value(frame));
      if (made.size < parts.length) throw twice();
      return mapView(entries, made);
    },
  };
}
