import { numberAt, stringAt } from "./arguments.js";
import { arithmetic } from "./arithmetic.js";
import { bigFloat, truncated } from "./big-float.js";
import { type Builtin, BuiltinError, type Builtins } from "./builtin.js";
import { exactDigits, plainNotation } from "./decimal.js";
import { bigIntAt, boundedNumberAt } from "./go-integer.js";
import { LimitError } from "./limit.js";
import { integer, numberOf, numberText } from "./number.js";
import { isNumber, type Value } from "./value.js";

/** Elements that a range may have; OPA goes on until it is cancelled. */
const maxRange = 100_000;

/** Bits that a shifted integer may have; OPA runs out of memory instead. */
const maxBits = 1 << 16;

/** Numbers, their texts and their bits (v1/topdown/{arithmetic,numbers,bits,casts}.go). */
export const numbers: Builtins = {
  ...arithmetic,
  "bits.and": bits((x, y) => x & y),
  "bits.lsh": bits((x, y) => shiftedLeft(x, y)),
  "bits.negate": (args) => integer(~bigIntAt(args, 0)),
  "bits.or": bits((x, y) => x | y),
  "bits.rsh": bits((x, y) => shiftedRight(x, y)),
  "bits.xor": bits((x, y) => x ^ y),
  format_int: formatInteger,
  "numbers.range": (args) => range(bigIntAt(args, 0), bigIntAt(args, 1), 1n),
  "numbers.range_step": (args) => range(bigIntAt(args, 0), bigIntAt(args, 1), bigIntAt(args, 2)),
  to_number: toNumber,
};

function bits(operation: (x: bigint, y: bigint) => bigint): Builtin {
  return (args) => integer(operation(bigIntAt(args, 0), bigIntAt(args, 1)));
}

/** Go takes the low 64 bits of the distance. */
function distance(by: bigint): bigint {
  if (by < 0n) {
    throw new BuiltinError("operand 2 must be an unsigned integer number but got a negative integer");
  }
  return BigInt.asUintN(64, by);
}

function shiftedLeft(value: bigint, by: bigint): bigint {
  const count = distance(by);
  if (count > maxBits) throw new LimitError(`shift by more than ${maxBits} bits`);
  return value << count;
}

function shiftedRight(value: bigint, by: bigint): bigint {
  const count = distance(by);
  // More bits than any number here has.
  return count > 1n << 20n ? (value < 0n ? -1n : 0n) : value >> count;
}

/** The digits of the integer towards zero; the base is told by its text, so `10.0` is none. */
function formatInteger(args: readonly Value[]): string {
  const value = boundedNumberAt(args, 0);
  const base = Number(numberText(numberAt(args, 1)));
  if (![2, 8, 10, 16].includes(base) || numberText(numberAt(args, 1)) !== String(base)) {
    throw new BuiltinError("operand 2 must be one of {2, 8, 10, 16}");
  }
  const text = numberText(value);
  const exact = /^-?\d+$/.test(text);
  return (exact ? BigInt(text) : truncated(bigFloat(value)).integer).toString(base);
}

function range(from: bigint, to: bigint, step: bigint): Value {
  if (step <= 0n) throw new BuiltinError("step must be a positive integer");
  const distanceOf = from <= to ? to - from : from - to;
  const count = distanceOf / step + 1n;
  if (count > maxRange) throw new LimitError(`range of more than ${maxRange} numbers`);
  const by = from <= to ? step : -step;
  return Array.from({ length: Number(count) }, (_, i) => integer(from + BigInt(i) * by));
}

/**
 * Go's ParseFloat decides; a number that is not JSON (`.5`, `+1`, `1_0`, `0x1p4`) is given back in JSON's
 * notation.
 */
function toNumber(args: readonly Value[]): Value {
  const [value = null] = args;
  if (value === null || value === false) return 0;
  if (value === true) return 1;
  if (isNumber(value)) return value;
  const text = stringAt(args, 0);
  const [, sign = "", size = ""] = /^([+-]?)(.*)$/s.exec(withoutUnderscores(text)) ?? [];
  const digits = /^0[xX]/.test(size) ? fromHexadecimal(size.slice(2)) : normalized(size);
  const number = (sign === "-" ? "-" : "") + digits;
  if (!Number.isFinite(Number(number))) throw new BuiltinError("value out of range");
  bigFloat(number);
  return numberOf(number);
}

/** Underscores may stand between digits, and behind `0x`. */
function withoutUnderscores(text: string): string {
  if (!text.includes("_")) return text;
  const misplaced = /(?:^|[^0-9a-fA-F_xX])_|_(?:[^0-9a-fA-F_]|$)|__|[xX]__/;
  return misplaced.test(text) ? "" : text.replaceAll("_", "");
}

function normalized(size: string): string {
  const found = /^(\d*)(?:\.(\d*))?([eE][+-]?\d+)?$/.exec(size);
  const [, whole = "", fraction = "", power = ""] = found ?? [];
  if (found === null || whole + fraction === "") throw new BuiltinError("invalid syntax");
  return `${whole.replace(/^0+(?=\d)/, "") || "0"}${fraction === "" ? "" : `.${fraction}`}${power}`;
}

/** `1.8p3` is 12. */
function fromHexadecimal(size: string): string {
  const found = /^([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?[pP]([+-]?\d{1,5})$/.exec(size);
  const [, whole = "", fraction = "", power = "0"] = found ?? [];
  if (found === null || whole + fraction === "") throw new BuiltinError("invalid syntax");
  const digits = exactDigits(BigInt(`0x${whole}${fraction}`), Number(power) - 4 * fraction.length);
  return plainNotation(digits, Math.max(digits.digits.length - digits.exponent, 0));
}
