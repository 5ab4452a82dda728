import type { JsonObject, JsonValue } from "../attributes/index.js";
import { type Budget, spend } from "./budget.js";

const operations: unique symbol = Symbol("operations of a map");

/** How a map that stays as it came is read. INVARIANT: own entries only, whatever they are called. */
export interface MapOperations<Source> {
  readonly get: (source: Source, key: string, budget: Budget) => Value | undefined;
  readonly has: (source: Source, key: string, budget: Budget) => boolean;
  readonly size: (source: Source, budget: Budget) => number;
  readonly keys: (source: Source, budget: Budget) => Iterable<string>;
}

/** A map of the request, such as its headers: nothing of it is converted before it is asked for. */
export interface MapView {
  readonly [operations]: MapOperations<never>;
  readonly source: unknown;
}

/**
 * A value of an expression: `int` is a bigint, `double` a number, a timestamp a Date. JSON stays as it is.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Date
  | MapView
  | JsonObject
  | readonly (Value | JsonValue)[];

/** What a value is, and what a type may ask for. */
export type Kind = "null" | "bool" | "int" | "double" | "string" | "timestamp" | "list" | "map";

/** A source with its way to be read. */
export function mapView<Source>(operationsOf: MapOperations<Source>, source: Source): MapView {
  return { [operations]: operationsOf, source };
}

/** The kind of a value. */
export function kindOf(value: Value): Kind {
  switch (typeof value) {
    case "string":
      return "string";
    case "boolean":
      return "bool";
    case "bigint":
      return "int";
    case "number":
      return "double";
    default:
      if (value === null) return "null";
      if (Array.isArray(value)) return "list";
      return value instanceof Date ? "timestamp" : "map";
  }
}

function isView(value: object): value is MapView {
  return operations in value;
}

const json: MapOperations<JsonObject> = {
  get: (source, key) => (Object.hasOwn(source, key) ? source[key] : undefined),
  has: (source, key) => Object.hasOwn(source, key),
  size: (source, budget) => ownKeys(source, budget).length,
  keys: (source, budget) => ownKeys(source, budget),
};

function ownKeys(source: JsonObject, budget: Budget): readonly string[] {
  const keys = Object.keys(source);
  spend(budget, keys.length);
  return keys;
}

function asMap(value: object): MapView {
  return isView(value) ? value : mapView(json, value as JsonObject);
}

/** The entry of a map; undefined where it has none. INVARIANT: `value` is of kind map. */
export function entryOf(value: Value, key: string, budget: Budget): Value | undefined {
  const map = value as object;
  if (!isView(map)) return json.get(map as JsonObject, key, budget);
  return map[operations].get(map.source as never, key, budget);
}

/** Whether a map has an entry. INVARIANT: `value` is of kind map. */
export function hasEntry(value: Value, key: string, budget: Budget): boolean {
  const map = asMap(value as object);
  return map[operations].has(map.source as never, key, budget);
}

/** How many entries a map has. INVARIANT: `value` is of kind map. */
export function sizeOfMap(value: Value, budget: Budget): number {
  const map = asMap(value as object);
  return map[operations].size(map.source as never, budget);
}

/** The keys of a map. INVARIANT: `value` is of kind map. */
export function keysOfMap(value: Value, budget: Budget): Iterable<string> {
  const map = asMap(value as object);
  return map[operations].keys(map.source as never, budget);
}
