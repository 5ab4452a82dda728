import { compareNumbers, type ExactNumber, isExactNumber } from "./number.js";

/**
 * A Rego value. Objects are Maps (a key may be any value), sets are Sets; both hold their entries in OPA's order
 * and no two equal ones, which {@link objectOf} and {@link setOf} see to. A composite key or member is found by
 * {@link compareValues}, never by identity.
 */
export type Value = null | boolean | string | number | ExactNumber | readonly Value[] | RegoObject | RegoSet;

/** An object of Rego: keys in OPA's order. */
export type RegoObject = ReadonlyMap<Value, Value>;

/** A set of Rego: members in OPA's order. */
export type RegoSet = ReadonlySet<Value>;

/** What Rego's `type_name` says. */
export type TypeName = "null" | "boolean" | "number" | "string" | "array" | "object" | "set";

/** The type of a value. */
export function typeOf(value: Value): TypeName {
  if (value === null) return "null";
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "string") return "string";
  if (isNumber(value)) return "number";
  if (isArray(value)) return "array";
  return isSet(value) ? "set" : "object";
}

/** Whether a value is an array; narrows, which `Array.isArray` does not for readonly arrays. */
export function isArray(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** Whether a value is a set. */
export function isSet(value: Value): value is RegoSet {
  return value instanceof Set;
}

/** Whether a value is an object. */
export function isObject(value: Value): value is RegoObject {
  return value instanceof Map;
}

/** Whether a value is a number. */
export function isNumber(value: Value): value is number | ExactNumber {
  return typeof value === "number" || isExactNumber(value);
}

const ranks: Readonly<Record<TypeName, number>> = {
  null: 0,
  boolean: 1,
  number: 2,
  string: 3,
  array: 4,
  object: 5,
  set: 6,
};

/** OPA's order of values (ast.Compare): by type, then by content; 0 means that they are equal in Rego. */
export function compareValues(a: Value, b: Value): number {
  if (a === b) return 0;
  if (typeof a === "string" && typeof b === "string") return compareStrings(a, b);
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  if (isArray(a) && isArray(b)) return compareLists(a, b);
  if (isObject(a) && isObject(b)) return compareObjects(a, b);
  if (isSet(a) && isSet(b)) return compareLists([...a], [...b]);
  const byType = ranks[typeOf(a)] - ranks[typeOf(b)];
  return byType === 0 ? Number(a) - Number(b) : byType;
}

/** By code points, which is the order of UTF-8 bytes and not of UTF-16 units. */
export function compareStrings(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    const [high, low] = [isSurrogate(x), isSurrogate(y)];
    return high === low ? x - y : high ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

function compareLists(a: readonly Value[], b: readonly Value[]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const order = compareValues(a[i] ?? null, b[i] ?? null);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareObjects(a: RegoObject, b: RegoObject): number {
  const others = b.entries();
  for (const [key, value] of a) {
    const other = others.next();
    if (other.done) return 1;
    const order = compareValues(key, other.value[0]) || compareValues(value, other.value[1]);
    if (order !== 0) return order;
  }
  return a.size - b.size;
}

/** Whether the engine's own order of strings, which is ten times as fast to sort by, is OPA's for all of them. */
function areOfPlainOrder(values: Value[]): values is string[] {
  return values.every((value) => typeof value === "string" && !surrogate.test(value));
}

const surrogate = /[\ud800-\udfff]/;

/** The set of the given values. */
export function setOf(values: Iterable<Value>): RegoSet {
  const given = [...values];
  if (areOfPlainOrder(given)) return new Set(given.sort());
  const sorted = given.sort(compareValues);
  const set = new Set<Value>();
  let last: Value | undefined;
  for (const value of sorted) {
    if (last !== undefined && compareValues(last, value) === 0) continue;
    set.add(value);
    last = value;
  }
  return set;
}

/** The object of the given entries; of equal keys the last entry counts. */
export function objectOf(entries: Iterable<readonly [Value, Value]>): RegoObject {
  const given = [...entries];
  const keys = given.map(([key]) => key);
  if (areOfPlainOrder(keys)) {
    const found = new Map(given);
    return new Map([...found.keys()].sort().map((key) => [key, found.get(key) ?? null]));
  }
  // Sorting is stable, so of equal keys the last comes last.
  const sorted = given.sort(([a], [b]) => compareValues(a, b));
  const object = new Map<Value, Value>();
  for (const [i, [key, value]] of sorted.entries()) {
    const next = sorted[i + 1];
    if (next === undefined || compareValues(key, next[0]) !== 0) object.set(key, value);
  }
  return object;
}

/** The value under a key, undefined without one. */
export function get(object: RegoObject, key: Value): Value | undefined {
  if (typeof key === "string" || typeof key === "number") {
    const found = object.get(key);
    if (found !== undefined || typeof key === "string") return found;
  }
  for (const [other, value] of object) if (compareValues(other, key) === 0) return value;
  return undefined;
}

/** Whether a set has a member. */
export function has(set: RegoSet, member: Value): boolean {
  if (set.has(member)) return true;
  if (typeof member === "string") return false;
  for (const other of set) if (compareValues(other, member) === 0) return true;
  return false;
}
