import { arrayAt, objectAt } from "./arguments.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { identity } from "./identity.js";
import { integerOf } from "./number.js";
import {
  get,
  has,
  isArray,
  isNumber,
  isObject,
  isSet,
  objectOf,
  type RegoObject,
  setOf,
  type Value,
} from "./value.js";

/** Objects (v1/topdown/object.go). */
export const object: Builtins = {
  "object.get": (args) => {
    const [start = null, path = null, fallback = null] = args;
    const found = isArray(path) ? at(objectAt([start], 0), path) : get(objectAt(args, 0), path);
    return found ?? (found === null ? null : fallback);
  },
  "object.keys": (args) => setOf(objectAt(args, 0).keys()),
  "object.remove": (args) => {
    const given = objectAt(args, 0);
    const keys = keysOf(args[1]);
    return new Map([...given].filter(([key]) => !keys.has(identity(key))));
  },
  "object.filter": (args) => {
    const given = objectAt(args, 0);
    const keys = keysOf(args[1]);
    return new Map([...given].filter(([key]) => keys.has(identity(key))));
  },
  "object.union": (args) => union([objectAt(args, 0), objectAt(args, 1)]),
  "object.union_n": (args) => union(arrayAt(args, 0).map((item) => objectAt([item], 0))),
};

/** What a path of keys, indexes and set members leads to. */
function at(start: Value, path: readonly Value[]): Value | undefined {
  let value: Value | undefined = start;
  for (const segment of path) {
    if (value === undefined) return undefined;
    value = childOf(value, segment);
  }
  return value;
}

function childOf(value: Value, key: Value): Value | undefined {
  if (isObject(value)) return get(value, key);
  if (isSet(value)) return has(value, key) ? key : undefined;
  if (!isArray(value) || !isNumber(key)) return undefined;
  // An index in exponent form is none in OPA.
  if (typeof key !== "number" && /e/i.test(key.exact)) return undefined;
  return value[Number(integerOf(key) ?? -1n)];
}

function keysOf(keys: Value | undefined): ReadonlySet<string> {
  if (keys !== undefined && (isArray(keys) || isSet(keys))) return new Set([...keys].map(identity));
  if (keys !== undefined && isObject(keys)) return new Set([...keys.keys()].map(identity));
  throw new BuiltinError("operand 2 must be one of {object, set, array}");
}

/** Of each key the last value; where that is an object, joined with those just before it that are objects too. */
function union(objects: readonly RegoObject[]): RegoObject {
  const [first] = objects;
  if (first !== undefined && objects.length === 1) return first;
  const members = new Map<string, { readonly key: Value; values: Value[] }>();
  for (const object of objects) {
    for (const [key, value] of object) {
      const id = identity(key);
      const member = members.get(id);
      if (member === undefined) members.set(id, { key, values: [value] });
      else if (isObject(value) && isObject(member.values[0] ?? null)) member.values.push(value);
      else member.values = [value];
    }
  }
  return objectOf(
    [...members.values()].map(({ key, values }) => {
      const inner = values.filter(isObject);
      return [key, inner.length > 1 ? union(inner) : (values[0] ?? null)];
    }),
  );
}
