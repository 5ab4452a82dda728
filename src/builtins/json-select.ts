import { objectAt } from "./arguments.js";
import type { Builtins } from "./builtin.js";
import { identity } from "./identity.js";
import { parsePaths } from "./json-path.js";
import { isArray, isObject, isSet, objectOf, type RegoObject, setOf, type Value } from "./value.js";

/** `json.filter` and `json.remove` (v1/topdown/json.go): both take a tree of paths out of a document. */
export const jsonSelect: Builtins = {
  "json.filter": (args) => filter(objectAt(args, 0), treeOf(args[1])),
  "json.remove": (args) => remove(objectAt(args, 0), treeOf(args[1])),
};

/** What paths lead to: `leaf` where one ends, whatever others lead on from there. */
type Tree = "leaf" | Map<string, Tree>;

function treeOf(paths: Value | undefined): Tree {
  const root = new Map<string, Tree>();
  for (const path of parsePaths(paths)) {
    let node: Tree = root;
    for (const [i, segment] of path.entries()) {
      if (node === "leaf") break;
      const key = identity(segment);
      const child: Tree = node.get(key) ?? new Map<string, Tree>();
      const next: Tree = i === path.length - 1 ? "leaf" : child;
      node.set(key, next);
      node = next;
    }
  }
  return root;
}

function filter(value: Value, tree: Tree): Value {
  if (tree === "leaf") return value;
  if (isObject(value)) return objectOf(kept(value, tree));
  if (isSet(value))
    return setOf(children([...value], (item) => item, tree).map(([item, to]) => filter(item, to)));
  if (isArray(value)) return children(value, (_, i) => String(i), tree).map(([item, to]) => filter(item, to));
  return value;
}

function* kept(object: RegoObject, tree: Map<string, Tree>): Generator<[Value, Value]> {
  for (const [key, member] of object) {
    const to = tree.get(identity(key));
    if (to !== undefined) yield [key, filter(member, to)];
  }
}

function children(
  items: readonly Value[],
  keyOf: (item: Value, index: number) => Value,
  tree: Map<string, Tree>,
): [Value, Tree][] {
  return items.flatMap((item, i) => {
    const to = tree.get(identity(keyOf(item, i)));
    return to === undefined ? [] : [[item, to] satisfies [Value, Tree]];
  });
}

/** The value without what the tree's leaves name; undefined when it is named itself. */
function remove(value: Value, tree: Tree | undefined): Value | undefined {
  if (tree === undefined) return value;
  if (tree === "leaf") return undefined;
  if (isObject(value)) {
    return objectOf(
      [...value].flatMap(([key, member]) => {
        const left = remove(member, tree.get(identity(key)));
        return left === undefined ? [] : [[key, left] as const];
      }),
    );
  }
  if (isSet(value)) return setOf(left([...value], (item) => item, tree));
  return isArray(value) ? left(value, (_, i) => String(i), tree) : value;
}

function left(
  items: readonly Value[],
  keyOf: (item: Value, index: number) => Value,
  tree: Map<string, Tree>,
): Value[] {
  return items.flatMap((item, i) => {
    const rest = remove(item, tree.get(identity(keyOf(item, i))));
    return rest === undefined ? [] : [rest];
  });
}
