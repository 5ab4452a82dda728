import { BuiltinError } from "./builtin.js";
import {
  type Digits,
  exactDigits,
  exponentNotation,
  plainNotation,
  rounded,
  roundedDown,
  roundedUp,
} from "./decimal.js";
import { LimitError } from "./limit.js";
import { type ExactNumber, numberOf, numberText } from "./number.js";

/**
 * A number as OPA calculates with it: Go's big.Float of 64 bits precision, rounding half to even. Its value
 * is ±mantissa × 2^exponent; of zero the sign counts too.
 */
export interface BigFloat {
  readonly negative: boolean;
  readonly mantissa: bigint;
  readonly exponent: number;
}

const precision = 64;

/** Numbers beyond 2^±100,000 are refused, as OPA refuses them (`maxNumberExp`). */
const maxBinaryExponent = 100_000;

/** Beyond it the mantissa, of {@link maxDigits} at most, does not bring a number back into that range. */
const maxDecimalExponent = 100_000;

/** Results beyond 2^±200,000, which no sum, product or quotient of two numbers is, take seconds to write. */
const maxResultExponent = 2 * maxBinaryExponent + 1_000;

/** Digits that a number may have: reading one takes time that grows with their square. */
const maxDigits = 50_000;

/** A number's text as a big.Float; throws a BuiltinError for one that is too large or too long. */
export function bigFloat(value: number | ExactNumber | string): BigFloat {
  const text = typeof value === "string" ? value : numberText(value);
  const found = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (found === null) throw new BuiltinError("number is not supported");
  if (text.length > maxDigits) throw new LimitError(`number of more than ${maxDigits} digits`);
  const [, sign = "", whole = "", fraction = "", power = "0"] = found;
  if (whole + fraction === "") throw new BuiltinError("number is not supported");
  const negative = sign === "-";
  const mantissa = BigInt(whole + fraction);
  if (mantissa === 0n) return { negative, mantissa, exponent: 0 };
  const exponent = Number(power) - fraction.length;
  if (Math.abs(exponent) > maxDecimalExponent) throw tooLarge();
  // 10^e is 5^e × 2^e, as in Go, whose power of 5 is rounded to 128 bits when it is large.
  if (exponent === 0) return normal(negative, mantissa, 0, precision);
  const five = powerOfFive(Math.abs(exponent));
  const scaled = { negative, mantissa, exponent };
  const number = exponent < 0 ? divideFloats(scaled, five) : multiplyFloats(scaled, five);
  if (Math.abs(number.exponent + bitLength(number.mantissa)) > maxBinaryExponent) throw tooLarge();
  return number;
}

function tooLarge(): LimitError {
  return new LimitError("number too big");
}

function powerOfFive(power: number): BigFloat {
  const small = 27;
  if (power <= small) return { negative: false, mantissa: 5n ** BigInt(power), exponent: 0 };
  let result: BigFloat = { negative: false, mantissa: 5n ** BigInt(small), exponent: 0 };
  let factor: BigFloat = { negative: false, mantissa: 5n, exponent: 0 };
  for (let rest = power - small; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = product(result, factor, 2 * precision);
    factor = product(factor, factor, 3 * precision);
  }
  return result;
}

/**
 * ±mantissa × 2^exponent rounded to so many bits; `rest` says that something below the mantissa was cut off.
 */
function normal(negative: boolean, mantissa: bigint, exponent: number, bits: number, rest = false): BigFloat {
  const excess = bitLength(mantissa) - bits;
  let kept = mantissa;
  let scale = exponent;
  if (excess > 0) {
    const shift = BigInt(excess);
    kept = mantissa >> shift;
    scale += excess;
    const cut = mantissa - (kept << shift);
    const half = 1n << (shift - 1n);
    if (cut > half || (cut === half && (rest || (kept & 1n) === 1n))) kept++;
  }
  if (Math.abs(scale) > 10 * maxBinaryExponent) throw new LimitError("number too big");
  return { negative, mantissa: kept, exponent: scale };
}

function bitLength(value: bigint): number {
  const text = value.toString(16);
  return value === 0n ? 0 : (text.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(text.charAt(0), 16)));
}

/** a × b */
export function multiplyFloats(a: BigFloat, b: BigFloat, bits: number = precision): BigFloat {
  return product(a, b, bits);
}

function product(a: BigFloat, b: BigFloat, bits: number): BigFloat {
  return normal(a.negative !== b.negative, a.mantissa * b.mantissa, a.exponent + b.exponent, bits);
}

/** a ÷ b; b is not zero. */
export function divideFloats(a: BigFloat, b: BigFloat): BigFloat {
  const shift = Math.max(0, precision + 2 + bitLength(b.mantissa) - bitLength(a.mantissa));
  const dividend = a.mantissa << BigInt(shift);
  const whole = dividend / b.mantissa;
  const rest = whole * b.mantissa !== dividend;
  return normal(a.negative !== b.negative, whole, a.exponent - b.exponent - shift, precision, rest);
}

/** a + b */
export function addFloats(a: BigFloat, b: BigFloat): BigFloat {
  if (a.mantissa === 0n && b.mantissa === 0n) {
    return { negative: a.negative && b.negative, mantissa: 0n, exponent: 0 };
  }
  if (a.mantissa === 0n) return b;
  if (b.mantissa === 0n) return a;
  const exponent = Math.min(a.exponent, b.exponent);
  const total = signed(a, exponent) + signed(b, exponent);
  return normal(total < 0n, total < 0n ? -total : total, exponent, precision);
}

function signed({ negative, mantissa, exponent }: BigFloat, to: number): bigint {
  const shifted = mantissa << BigInt(exponent - to);
  return negative ? -shifted : shifted;
}

/** −a */
export function negateFloat(a: BigFloat): BigFloat {
  return { ...a, negative: !a.negative };
}

/** The integer towards zero, and whether it is the very value. */
export function truncated({ negative, mantissa, exponent }: BigFloat): {
  readonly integer: bigint;
  readonly exact: boolean;
} {
  const shift = BigInt(Math.abs(exponent));
  const size = exponent >= 0 ? mantissa << shift : mantissa >> shift;
  const exact = exponent >= 0 || size << shift === mantissa;
  return { integer: negative ? -size : size, exact };
}

/** An integer, rounded to 64 bits. */
export function bigFloatOfInteger(value: bigint): BigFloat {
  return normal(value < 0n, value < 0n ? -value : value, 0, precision);
}

/** The number that OPA makes of it: the shortest text that gives the same bits. */
export function floatNumber(value: BigFloat, bits: number = precision): number | ExactNumber {
  const sign = value.negative ? "-" : "";
  if (value.mantissa === 0n) return numberOf(`${sign}0`);
  if (Math.abs(value.exponent) > maxResultExponent) throw new LimitError("number too big");
  const digits = shortest(value, bits);
  if (truncated(value).exact) {
    return numberOf(sign + plainNotation(digits, Math.max(digits.digits.length - digits.exponent, 0)));
  }
  const count = digits.digits.length;
  const power = digits.exponent - 1;
  if (power < -4 || power >= 6) return numberOf(sign + exponentNotation(digits, count - 1));
  return numberOf(sign + plainNotation(digits, Math.max(count - digits.exponent, 0)));
}

/** The shortest digits between the neighbours' middles (roundShortest of math/big, digit by digit). */
function shortest({ mantissa, exponent }: BigFloat, bits: number): Digits {
  const value = exactDigits(mantissa, exponent);
  const shift = bits + 1 - bitLength(mantissa);
  const doubled = shift >= 0 ? mantissa << BigInt(shift) : mantissa >> BigInt(-shift);
  const lower = exactDigits(doubled - 1n, exponent - shift);
  const upper = exactDigits(doubled + 1n, exponent - shift);
  const inclusive = (doubled & 2n) === 0n;
  for (let i = 0; i < value.digits.length; i++) {
    const [digit, low, high] = [value, lower, upper].map(({ digits }) => Number(digits.charAt(i) || "0"));
    if (digit === undefined || low === undefined || high === undefined) break;
    const down = low !== digit || (inclusive && i + 1 === lower.digits.length);
    const up = digit !== high && (inclusive || digit + 1 < high || i + 1 < upper.digits.length);
    if (down && up) return rounded(value, i + 1);
    if (down) return roundedDown(value, i + 1);
    if (up) return roundedUp(value, i + 1);
  }
  return value;
}
