import { arrayAt } from "./arguments.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { identity } from "./identity.js";
import { parsePath } from "./json-path.js";
import { LimitError } from "./limit.js";
import { numberText } from "./number.js";
import {
  compareValues,
  get,
  isArray,
  isNumber,
  isObject,
  isSet,
  objectOf,
  type RegoObject,
  setOf,
  type Value,
} from "./value.js";

/** `json.patch` (v1/topdown/json.go, internal/edittree): RFC 6902, with paths that may be arrays, and sets. */
export const jsonPatch: Builtins = {
  "json.patch": (args) => {
    const operations = arrayAt(args, 1);
    const document: Document = { root: thawed(args[0] ?? null), budget: maxMoves };
    for (const operation of operations) apply(document, operation);
    return document.root === undefined ? undefined : frozen(document.root);
  },
};

/** Elements copied or moved in one call: beyond it a patch is an attack (some tens of milliseconds). */
const maxMoves = 5_000_000;

/** A value whose first level can be edited; deeper levels thaw when a path leads into them. */
type Node = Exclude<Value, readonly Value[] | RegoObject | ReadonlySet<Value>> | Items | Members;

/** An array. */
interface Items {
  readonly kind: "items";
  readonly items: (Node | Frozen)[];
}

/** An object, or a set, whose members are their own keys. */
interface Members {
  readonly kind: "object" | "set";
  readonly members: Map<string, { readonly key: Value; node: Node | Frozen }>;
}

/** A value that nothing was changed in. */
interface Frozen {
  readonly kind: "frozen";
  readonly value: Value;
}

interface Document {
  root: Node | undefined;
  budget: number;
}

function apply(document: Document, operation: Value): void {
  if (!isObject(operation)) throw new BuiltinError("must be an array of JSON-Patch objects");
  const path = parsePath(attribute(operation, "path"));
  switch (attribute(operation, "op")) {
    case "add":
      insert(document, path, attribute(operation, "value"));
      break;
    case "remove":
      remove(document, path);
      break;
    case "replace":
      remove(document, path);
      insert(document, path, attribute(operation, "value"));
      break;
    case "move": {
      const from = parsePath(attribute(operation, "from"));
      const value = frozen(nodeAt(document, from));
      remove(document, from);
      insert(document, path, value);
      break;
    }
    case "copy":
      insert(document, path, frozen(nodeAt(document, parsePath(attribute(operation, "from")))));
      break;
    case "test": {
      const found = frozen(nodeAt(document, path));
      spend(document, 1 + sizeOf(found));
      if (compareValues(found, attribute(operation, "value")) !== 0) {
        throw new BuiltinError("value in the document is not the one that is tested for");
      }
      break;
    }
    default:
      throw new BuiltinError("unrecognized op");
  }
}

function attribute(operation: RegoObject, name: string): Value {
  const value = get(operation, name);
  if (value === undefined) throw new BuiltinError(`missing required attribute '${name}'`);
  return value;
}

function spend(document: Document, moves: number): void {
  document.budget -= moves;
  if (document.budget < 0) throw new LimitError("patch takes too long");
}

function nodeAt(document: Document, path: readonly Value[]): Node {
  let node = document.root;
  if (node === undefined) throw new BuiltinError("document was removed");
  for (const segment of path) node = childOf(document, node, segment);
  return node;
}

function childOf(document: Document, node: Node, segment: Value): Node {
  if (isItems(node)) {
    const index = indexIn(node, segment);
    const item = node.items[index];
    if (item === undefined) throw new BuiltinError(`path does not exist in array`);
    const child = melted(document, item);
    node.items[index] = child;
    return child;
  }
  if (!isMembers(node)) throw new BuiltinError("expected composite type for path");
  if (node.kind === "set") rekey(document, node, segment);
  const member = node.members.get(identity(segment));
  if (member === undefined) throw new BuiltinError(`path does not exist in ${node.kind}`);
  const child = melted(document, member.node);
  member.node = child;
  return child;
}

function insert(document: Document, path: readonly Value[], value: Value): void {
  const last = path.at(-1);
  if (last === undefined) {
    document.root = thawed(value);
    return;
  }
  const node = nodeAt(document, path.slice(0, -1));
  if (isItems(node)) {
    const index = indexIn(node, last);
    if (index < 0 || index > node.items.length)
      throw new BuiltinError("index for array insertion out of bounds");
    spend(document, node.items.length - index + 1);
    node.items.splice(index, 0, { kind: "frozen", value });
    return;
  }
  if (!isMembers(node)) throw new BuiltinError("expected composite type");
  if (node.kind === "set") {
    if (compareValues(last, value) !== 0)
      throw new BuiltinError("set key does not equal value to be inserted");
    rekey(document, node, last);
  }
  node.members.set(identity(last), { key: last, node: { kind: "frozen", value } });
}

function remove(document: Document, path: readonly Value[]): void {
  const last = path.at(-1);
  if (last === undefined) {
    if (document.root === undefined) throw new BuiltinError("document was removed");
    document.root = undefined;
    return;
  }
  const node = nodeAt(document, path.slice(0, -1));
  if (isItems(node)) {
    const index = indexIn(node, last);
    if (index < 0 || index >= node.items.length)
      throw new BuiltinError("index for array delete out of bounds");
    spend(document, node.items.length - index);
    node.items.splice(index, 1);
    return;
  }
  if (!isMembers(node)) throw new BuiltinError("expected composite type");
  if (node.kind === "set") rekey(document, node, last);
  if (!node.members.delete(identity(last))) throw new BuiltinError(`path does not exist in ${node.kind}`);
}

/** An index as OPA reads it: `-` is the length, strings have no leading zeros, `2.0` is 2. */
function indexIn({ items }: Items, segment: Value): number {
  if (segment === "-") return items.length;
  const text = typeof segment === "string" ? segment : isNumber(segment) ? numberText(segment) : "";
  if (!/^[+-]?\d*(?:\.0*)?$/.test(text) || !/[\d.]/.test(text) || text.length > 19) {
    throw new BuiltinError("invalid segment for indexing");
  }
  if (typeof segment === "string" && segment !== "0" && segment.startsWith("0")) {
    throw new BuiltinError("leading zeros are not allowed in JSON paths");
  }
  return Math.trunc(Number(text.replace(/\..*$/, "") || "0"));
}

/** Members of a set that were edited are found under what they have become. */
function rekey(document: Document, node: Members, key: Value): void {
  if (!(isArray(key) || isObject(key) || isSet(key))) return;
  spend(document, node.members.size);
  const members = [...node.members.values()].map((member) => frozen(member.node));
  node.members.clear();
  for (const value of members) {
    node.members.set(identity(value), { key: value, node: { kind: "frozen", value } });
  }
}

function isItems(node: Node | Frozen): node is Items {
  return typeof node === "object" && node !== null && "kind" in node && node.kind === "items";
}

function isMembers(node: Node | Frozen): node is Members {
  return typeof node === "object" && node !== null && "members" in node;
}

function isFrozen(node: Node | Frozen): node is Frozen {
  return typeof node === "object" && node !== null && "kind" in node && node.kind === "frozen";
}

function melted(document: Document, node: Node | Frozen): Node {
  if (!isFrozen(node)) return node;
  spend(document, 1 + sizeOf(node.value));
  return thawed(node.value);
}

function sizeOf(value: Value): number {
  return isArray(value) ? value.length : isObject(value) || isSet(value) ? value.size : 0;
}

function thawed(value: Value): Node {
  if (isArray(value)) return { kind: "items", items: value.map((item) => ({ kind: "frozen", value: item })) };
  if (isObject(value)) return { kind: "object", members: membersOf(value) };
  if (isSet(value))
    return { kind: "set", members: membersOf(new Map([...value].map((item) => [item, item]))) };
  return value;
}

function membersOf(entries: RegoObject): Members["members"] {
  const members: Members["members"] = new Map();
  for (const [key, value] of entries) members.set(identity(key), { key, node: { kind: "frozen", value } });
  return members;
}

function frozen(node: Node | Frozen): Value {
  if (isFrozen(node)) return node.value;
  if (isItems(node)) return node.items.map(frozen);
  if (!isMembers(node)) return node;
  const members = [...node.members.values()];
  return node.kind === "set"
    ? setOf(members.map((member) => frozen(member.node)))
    : objectOf(members.map((member) => [member.key, frozen(member.node)]));
}
