import { setAt } from "./arguments.js";
import {
  addFloats,
  type BigFloat,
  bigFloat,
  divideFloats,
  floatNumber,
  multiplyFloats,
  negateFloat,
  truncated,
} from "./big-float.js";
import { type Builtin, BuiltinError, type Builtins } from "./builtin.js";
import { boundedNumberAt, int64Of } from "./go-integer.js";
import { type ExactNumber, integer, integerOf } from "./number.js";
import { has, isSet, setOf, type Value } from "./value.js";

/**
 * OPA's arithmetic (v1/topdown/arithmetic.go): small integers natively, large ones exactly, all else with 64
 * bits. The names are those of the functions behind the operators.
 */
export const arithmetic: Builtins = {
  abs: unary(
    (x) => (x < 0n ? -x : x),
    (x) => floatNumber({ ...x, negative: false }),
  ),
  ceil: unary((x) => x, ceiling),
  div: divide,
  floor: unary((x) => x, floor),
  minus,
  mul: binary((x, y) => x * y, multiplyFloats),
  plus: binary((x, y) => x + y, addFloats),
  rem: remainder,
  round: unary((x) => x, round),
};

type Num = number | ExactNumber;

/**
 * The integer that is small enough for OPA to take its short way, whose answers may differ from the long
 * one's.
 */
function small(value: Num): bigint | undefined {
  const found = int64Of(value);
  return found !== undefined && found >= -(1n << 31n) && found < 1n << 31n ? found : undefined;
}

function binary(
  exact: (x: bigint, y: bigint) => bigint,
  float: (x: BigFloat, y: BigFloat) => BigFloat,
): Builtin {
  return (args) => {
    const [a, b] = [boundedNumberAt(args, 0), boundedNumberAt(args, 1)];
    const [x, y] = [integerOf(a), integerOf(b)];
    if (x !== undefined && y !== undefined) return integer(exact(x, y));
    return floatNumber(float(bigFloat(a), bigFloat(b)));
  };
}

function minus(args: readonly Value[]): Value {
  const [a = null, b = null] = args;
  if (isSet(a) && isSet(b)) return setOf([...a].filter((member) => !has(b, member)));
  if (isSet(a)) return [...setAt(args, 1)];
  const [m, n] = [boundedNumberAt(args, 0), boundedNumberAt(args, 1)];
  const [x, y] = [integerOf(m), integerOf(n)];
  if (x !== undefined && y !== undefined) return integer(x - y);
  return floatNumber(addFloats(bigFloat(m), negateFloat(bigFloat(n))));
}

function divide(args: readonly Value[]): Value {
  const [a, b] = [boundedNumberAt(args, 0), boundedNumberAt(args, 1)];
  const [x, y] = [small(a), small(b)];
  const divisor = bigFloat(b);
  if (divisor.mantissa === 0n) throw new BuiltinError("divide by zero");
  if (x !== undefined && y !== undefined && x !== 0n && x % y === 0n) return integer(x / y);
  return floatNumber(divideFloats(bigFloat(a), divisor));
}

function remainder(args: readonly Value[]): Value {
  const [x, y] = [integerOf(boundedNumberAt(args, 0)), integerOf(boundedNumberAt(args, 1))];
  if (x === undefined || y === undefined) throw new BuiltinError("modulo on floating-point number");
  if (y === 0n) throw new BuiltinError("modulo by zero");
  return integer(x % y);
}

function unary(exact: (x: bigint) => bigint, float: (x: BigFloat) => Num): Builtin {
  return (args) => {
    const value = boundedNumberAt(args, 0);
    const x = small(value);
    return x === undefined ? float(bigFloat(value)) : integer(exact(x));
  };
}

const half: BigFloat = { negative: false, mantissa: 1n, exponent: -1 };

/** Of halves the one away from zero. */
function round(value: BigFloat): Num {
  return integer(truncated(addFloats(value, value.negative ? negateFloat(half) : half)).integer);
}

/** As in OPA, whose ceil(-0.5) is 1. */
function ceiling(value: BigFloat): Num {
  const { integer: found, exact } = truncated(value);
  return integer(exact || found < 0n ? found : found + 1n);
}

/** As in OPA, whose floor(-0.5) is 0. */
function floor(value: BigFloat): Num {
  const { integer: found, exact } = truncated(value);
  return integer(exact || found >= 0n ? found : found - 1n);
}
