import { BuiltinError } from "./builtin.js";
import { bytesOf } from "./bytes.js";
import { floatText } from "./go-float.js";
import type { Operand } from "./go-verbs.js";
import { numberText } from "./number.js";
import { termText } from "./term-text.js";
import { isArray, isNumber, isObject, type Value } from "./value.js";

/**
 * A value in a template. Numbers of Rego are json.Number there, which is a kind of string; integers and
 * floats come from the template itself. `undefined` is what there is not, null what is null.
 */
export type Item =
  | undefined
  | null
  | boolean
  | string
  | bigint
  | number
  | JsonNumber
  | readonly Item[]
  /** In the order of the keys, as Rego has it. */
  | ReadonlyMap<string, Item>;

/** A number of Rego. */
export interface JsonNumber {
  readonly text: string;
}

/**
 * The variables of a template. OPA reads them from their text as JSON, so sets, keys that are no strings, and
 * strings that Go writes in another way than JSON are errors.
 */
export function itemsOf(variables: Value): Item {
  try {
    JSON.parse(termText(variables));
  } catch {
    throw new BuiltinError("template variables are not JSON");
  }
  return itemOf(variables);
}

function itemOf(value: Value): Item {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (isNumber(value)) return { text: numberText(value) };
  if (isArray(value)) return value.map(itemOf);
  if (!isObject(value)) throw new BuiltinError("template variables are not JSON");
  return new Map([...value].map(([key, member]) => [String(key), itemOf(member)]));
}

/** Narrows to json.Number. */
export function isJsonNumber(item: Item): item is JsonNumber {
  return typeof item === "object" && item !== null && "text" in item;
}

/** Narrows to arrays. */
export function isList(item: Item): item is readonly Item[] {
  return Array.isArray(item);
}

/** Narrows to objects. */
export function isMap(item: Item): item is ReadonlyMap<string, Item> {
  return item instanceof Map;
}

/** Go's notion of truth: not empty, not zero. A number of Rego is a text, so also `0` is true. */
export function isTrue(item: Item): boolean {
  if (isJsonNumber(item)) return true;
  if (isList(item)) return item.length > 0;
  if (isMap(item)) return item.size > 0;
  return Boolean(item);
}

/** As `%v` prints it. */
export function itemText(item: Item): string {
  if (item === undefined || item === null) return "<nil>";
  if (typeof item === "number") return floatText(item, "g", -1);
  if (isJsonNumber(item)) return item.text;
  if (isList(item)) return `[${item.map(itemText).join(" ")}]`;
  if (isMap(item)) {
    const members = [...item].map(([key, member]) => `${key}:${itemText(member)}`);
    return `map[${members.join(" ")}]`;
  }
  return String(item);
}

/** The kinds that `eq` and `lt` tell apart. */
export function kindOf(item: Item): "bool" | "string" | "int" | "float" | "none" {
  if (typeof item === "boolean") return "bool";
  if (typeof item === "string" || isJsonNumber(item)) return "string";
  if (typeof item === "bigint") return "int";
  return typeof item === "number" ? "float" : "none";
}

/** Bytes of a text, members of a list or map; throws a BuiltinError for all else. */
export function lengthOf(item: Item): number {
  if (typeof item === "string") return bytesOf(item).length;
  if (isJsonNumber(item)) return item.text.length;
  if (isList(item)) return item.length;
  if (isMap(item)) return item.size;
  throw new BuiltinError("len of a value that has none");
}

/** As printf gets it. */
export function operandOf(item: Item): Operand {
  if (item === undefined || item === null) return { type: "<nil>" };
  if (typeof item === "boolean") return { type: "bool", value: item };
  if (typeof item === "bigint") return { type: "int", value: item };
  if (typeof item === "number") return { type: "float64", value: item };
  if (isJsonNumber(item)) return { type: "json.Number", value: item.text };
  if (typeof item === "string") return { type: "string", value: item };
  if (isList(item)) return { type: "[]interface {}", value: item.map(operandOf) };
  const entries = [...item].map(([key, member]): [string, Operand] => [key, operandOf(member)]);
  return { type: "map[string]interface {}", value: new Map(entries) };
}
