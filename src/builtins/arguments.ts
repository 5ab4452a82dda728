import { BuiltinError } from "./builtin.js";
import { type ExactNumber, integerOf } from "./number.js";
import {
  isArray,
  isNumber,
  isObject,
  isSet,
  type RegoObject,
  type RegoSet,
  typeOf,
  type Value,
} from "./value.js";

/** Readers of arguments: each gives the argument at an index, or throws a BuiltinError for another type. */

export function stringAt(args: readonly Value[], index: number): string {
  const value = args[index];
  return typeof value === "string" ? value : wrong(value, index, "string");
}

export function booleanAt(args: readonly Value[], index: number): boolean {
  const value = args[index];
  return typeof value === "boolean" ? value : wrong(value, index, "boolean");
}

export function numberAt(args: readonly Value[], index: number): number | ExactNumber {
  const value = args[index];
  return value !== undefined && isNumber(value) ? value : wrong(value, index, "number");
}

/** `2.0` is the integer 2. */
export function integerAt(args: readonly Value[], index: number): bigint {
  return integerOf(numberAt(args, index)) ?? wrong(args[index], index, "integer");
}

export function arrayAt(args: readonly Value[], index: number): readonly Value[] {
  const value = args[index];
  return value !== undefined && isArray(value) ? value : wrong(value, index, "array");
}

export function objectAt(args: readonly Value[], index: number): RegoObject {
  const value = args[index];
  return value !== undefined && isObject(value) ? value : wrong(value, index, "object");
}

export function setAt(args: readonly Value[], index: number): RegoSet {
  const value = args[index];
  return value !== undefined && isSet(value) ? value : wrong(value, index, "set");
}

/** The members of an array or a set. */
export function collectionAt(args: readonly Value[], index: number): readonly Value[] {
  const value = args[index];
  if (value !== undefined && isArray(value)) return value;
  return value !== undefined && isSet(value) ? [...value] : wrong(value, index, "array or set");
}

/** The strings of an array or a set; throws when a member is none. */
export function stringsAt(args: readonly Value[], index: number): readonly string[] {
  return collectionAt(args, index).map((item) =>
    typeof item === "string" ? item : wrong(item, index, "collection of strings"),
  );
}

function wrong(value: Value | undefined, index: number, expected: string): never {
  const found = value === undefined ? "nothing" : typeOf(value);
  throw new BuiltinError(`operand ${index + 1} must be ${expected} but got ${found}`);
}
