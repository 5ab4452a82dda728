import { stringAt } from "./arguments.js";
import { bigFloat, bigFloatOfInteger, multiplyFloats, truncated } from "./big-float.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { lowerCase } from "./go-unicode.js";
import { LimitError } from "./limit.js";
import { integer, numberOf } from "./number.js";
import type { Value } from "./value.js";

/** Amounts with units (v1/topdown/parse_{units,bytes}.go). */
export const units: Builtins = { "units.parse": parseUnits, "units.parse_bytes": parseBytes };

const letters = "kmgtpe";

/** 10³ for `k`, 2¹⁰ for `ki` and so on; undefined for what is no unit. */
function factorOf(unit: string): bigint | undefined {
  if (unit === "") return 1n;
  const power = BigInt(letters.indexOf(unit.charAt(0)) + 1);
  if (power === 0n) return undefined;
  if (unit.length === 1) return 1000n ** power;
  return unit.slice(1) === "i" ? 1024n ** power : undefined;
}

/** Rounded to 64 bits and then cut to an integer, as OPA does. */
function parseBytes(args: readonly Value[]): Value {
  const [amount, unit] = amountAndUnit(lowerCase(stringAt(args, 0)));
  const factor = factorOf(unit.replace(/^([kmgtpe]i?)b$/, "$1"));
  if (factor === undefined) throw new BuiltinError("byte unit not recognized");
  return integer(truncated(multiplyFloats(bigFloat(amount), bigFloatOfInteger(factor))).integer);
}

/**
 * Exact, and otherwise with ten places; `m` is a thousandth, `M` a million, and the letter's case counts no
 * more.
 */
function parseUnits(args: readonly Value[]): Value {
  const [amount, unit] = amountAndUnit(stringAt(args, 0));
  const rest = unit.slice(0, 1) + lowerCase(unit.slice(1));
  const factor = /^(?:[a-zA-Z]i?)?$/.test(rest) ? factorOf(rest.toLowerCase()) : undefined;
  if (factor === undefined) {
    throw new BuiltinError("unit not recognized");
  }
  const found = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(amount);
  const [, sign = "", whole = "", fraction = "", power = "0"] = found ?? [];
  const exponent = Number(power) - fraction.length;
  if (found === null || whole + fraction === "") throw new BuiltinError("could not parse amount to a number");
  if (Math.abs(exponent) > maxExponent) throw new LimitError("exponent too large");
  const ten = 10n ** BigInt(Math.abs(exponent));
  const [top, bottom] = rest === "m" ? thousandth : [factor, 1n];
  const numerator = BigInt(whole + fraction) * top * (exponent > 0 ? ten : 1n);
  const denominator = bottom * (exponent < 0 ? ten : 1n);
  const minus = sign === "-" && numerator !== 0n ? "-" : "";
  if (numerator % denominator === 0n) return numberOf(minus + (numerator / denominator).toString());
  const scaled = (numerator * 10n ** 10n * 2n + denominator) / (denominator * 2n);
  const digits = scaled.toString().padStart(11, "0");
  return numberOf(`${minus}${digits.slice(0, -10)}.${digits.slice(-10)}`);
}

/** Exponents beyond are refused; OPA allows six digits, and takes seconds. */
const maxExponent = 10_000;

/** OPA's `m` is the double 0.001. */
const thousandth: readonly [bigint, bigint] = [1152921504606847n, 1n << 60n];

/** Characters that an amount may have. */
const maxLength = 10_000;

/** The longest number in front, and what follows it; quotation marks count for nothing. */
function amountAndUnit(quoted: string): readonly [string, string] {
  if (quoted.length > maxLength) throw new LimitError(`amount of more than ${maxLength} characters`);
  const text = quoted.replaceAll('"', "");
  if (text.includes(" ")) throw new BuiltinError("spaces not allowed in resource strings");
  const amount = /^(?:[\d.+-]|[eE](?=\d)|[eE](?=[+-])[+-])*/.exec(text)?.[0] ?? "";
  if (/[eE][+-]?\d{7}/.test(amount)) throw new BuiltinError("exponent too large");
  if (amount === "") throw new BuiltinError("no amount provided");
  return [amount, text.slice(amount.length)];
}
