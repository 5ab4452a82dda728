import { collectionAt } from "./arguments.js";
import { addFloats, type BigFloat, bigFloat, floatNumber, multiplyFloats } from "./big-float.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { LimitError } from "./limit.js";
import { type ExactNumber, integer, integerOf } from "./number.js";
import { compareValues, isArray, isNumber, isObject, isSet, type Value } from "./value.js";

/** Aggregates (v1/topdown/aggregates.go): integers exactly, other numbers in floats of 64 bits as Go's big.Float. */
export const aggregates: Builtins = {
  count: ([value]) => countOf(value ?? null),
  sum: (args) => {
    const numbers = numbersAt(args);
    const exact = exactly(numbers, 0n, (a, b) => a + b);
    return exact ?? floatNumber(numbers.map(bigFloat).reduce(added));
  },
  product: (args) => {
    const numbers = numbersAt(args);
    const exact = exactly(numbers, 1n, (a, b) => a * b);
    // Go begins with big.NewFloat(1), and so calculates in its 53 bits.
    const multiplied = (a: BigFloat, b: BigFloat): BigFloat => multiplyFloats(a, b, 53);
    return exact ?? floatNumber(numbers.map(bigFloat).reduce(multiplied, bigFloat("1")), 53);
  },
  max: (args) => {
    let max: Value | undefined;
    for (const item of collectionAt(args, 0)) {
      if (max === undefined || compareValues(max, item) <= 0) max = item;
    }
    return max;
  },
  min: (args) => {
    let min: Value | undefined;
    for (const item of collectionAt(args, 0)) {
      if (min === undefined || compareValues(min, item) >= 0) min = item;
    }
    return min;
  },
  sort: (args) => [...collectionAt(args, 0)].sort(compareValues),
};

function countOf(value: Value): number {
  if (typeof value === "string")
    return value.length - (value.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
  if (isArray(value)) return value.length;
  if (isObject(value) || isSet(value)) return value.size;
  throw new BuiltinError("operand 1 must be one of {array, object, set, string}");
}

/** Bits of large numbers to be read beyond which an aggregate is an attack: it takes some tens of milliseconds. */
const maxBits = 2_000_000;

/** Numbers up to this one are not counted. */
const maxQuick = 1n << 256n;

function numbersAt(args: readonly Value[]): readonly (number | ExactNumber)[] {
  let digits = 0;
  return collectionAt(args, 0).map((item) => {
    if (!isNumber(item)) throw new BuiltinError("operand 1 must be a collection of numbers");
    digits += digitsOf(item);
    if (digits * 4 > maxBits) throw new LimitError("number is too large");
    return item;
  });
}

/** The integer that comes of integers; undefined when one of the numbers is none. */
function exactly(
  numbers: readonly (number | ExactNumber)[],
  start: bigint,
  join: (a: bigint, b: bigint) => bigint,
): number | ExactNumber | undefined {
  let result = start;
  let work = 0;
  for (const number of numbers) {
    const value = integerOf(number);
    if (value === undefined) return undefined;
    if (typeof number !== "number" || result > maxQuick || result < -maxQuick) {
      work += bitsOf(value) + bitsOf(result);
      if (work > maxBits) throw new LimitError("number is too large");
    }
    result = join(result, value);
  }
  return integer(result);
}

/** a + b; where one is too small to change the other's 64 bits the shift to their common exponent is spared. */
function added(a: BigFloat, b: BigFloat): BigFloat {
  const gap = a.exponent - b.exponent;
  if (Math.abs(gap) < 256 || a.mantissa === 0n || b.mantissa === 0n) return addFloats(a, b);
  return gap > 0 ? a : b;
}

/** At least as many digits as a number has that is not one of JavaScript's own. */
function digitsOf(number: number | ExactNumber): number {
  if (typeof number === "number") return 0;
  const power = Number(/[eE][+-]?(\d+)$/.exec(number.exact)?.[1] ?? 0);
  return number.exact.length + power;
}

function bitsOf(value: bigint): number {
  return value.toString(16).length * 4;
}
