import { BuiltinError } from "./builtin.js";
import { LimitError } from "./limit.js";
import { type ExactNumber, integerOf, numberText } from "./number.js";
import { isNumber, typeOf, type Value } from "./value.js";

/** The smallest integer of Go's `int`. */
export const minInt64: bigint = -(1n << 63n);

/** The largest integer of Go's `int`. */
export const maxInt64: bigint = (1n << 63n) - 1n;

/**
 * The integer that Go's `ast.Number.Int64` sees: `2` and `2.0` are integers, `2e0` is none, and neither is
 * what needs more than 19 characters or 64 bits.
 */
export function int64Of(value: number | ExactNumber): bigint | undefined {
  const text = numberText(value);
  const found = /^-?(\d*)(?:\.0*)?$/.exec(text);
  if (found === null || text.length - (text.startsWith("-") ? 1 : 0) > 19) return undefined;
  const size = BigInt(found[1] ?? "");
  const integer = text.startsWith("-") ? -size : size;
  return integer >= minInt64 && integer <= maxInt64 ? integer : undefined;
}

/** Characters of a number beyond which nothing is calculated: it takes time that grows with their square. */
const maxLength = 50_000;

/** The argument as a number that is short enough to calculate with. */
export function boundedNumberAt(args: readonly Value[], index: number): number | ExactNumber {
  const value = args[index] ?? null;
  if (!isNumber(value)) throw wrong(index, "number", value);
  if (typeof value !== "number" && value.exact.length > maxLength) {
    throw new LimitError(`number of more than ${maxLength} digits`);
  }
  return value;
}

/** The argument as Go's `int` (`builtins.IntOperand`). */
export function intAt(args: readonly Value[], index: number): bigint {
  const value = args[index] ?? null;
  if (!isNumber(value)) throw wrong(index, "number", value);
  const integer = int64Of(value);
  if (integer === undefined) throw notAnInteger(index);
  return integer;
}

/** The argument as an integer of any size and notation (`builtins.BigIntOperand`). */
export function bigIntAt(args: readonly Value[], index: number): bigint {
  const integer = integerOf(boundedNumberAt(args, index));
  if (integer === undefined) throw notAnInteger(index);
  return integer;
}

function wrong(index: number, expected: string, found: Value): BuiltinError {
  return new BuiltinError(`operand ${index + 1} must be ${expected} but got ${typeOf(found)}`);
}

function notAnInteger(index: number): BuiltinError {
  return new BuiltinError(`operand ${index + 1} must be integer number but got floating-point number`);
}
