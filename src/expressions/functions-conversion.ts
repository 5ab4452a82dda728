import { spend } from "./budget.js";
import { ExpressionError } from "./expression-error.js";
import type { FunctionEntry } from "./function-entry.js";
import { lengthOf } from "./text.js";
import { types } from "./type.js";
import { kindOf, sizeOfMap, type Value } from "./value.js";

const noWhole = new ExpressionError("`int` expects a whole number of 64 bits");
const noDouble = new ExpressionError("`double` expects a number");
const noBool = new ExpressionError("`bool` expects `true` or `false`");

/** Units of the budget for a number that is read or written. */
const conversion = 20;

/** `size`, `int`, `double`, `string`, `bool`, `dyn`, `type`. */
export const conversions: readonly FunctionEntry[] = [
  {
    name: "size",
    form: "both",
    parameters: [["string", "list", "map"]],
    result: types.int,
    bind: () => (frame, value) => {
      if (typeof value === "string") return BigInt(lengthOf(value, frame));
      return BigInt(Array.isArray(value) ? value.length : sizeOfMap(value, frame));
    },
  },
  {
    name: "int",
    form: "function",
    parameters: [["int", "double", "string", "timestamp"]],
    result: types.int,
    bind: () => (frame, value) => {
      spend(frame, conversion);
      return wholeOf(value);
    },
  },
  {
    name: "double",
    form: "function",
    parameters: [["int", "double", "string"]],
    result: types.double,
    bind: () => (frame, value) => {
      spend(frame, conversion);
      if (typeof value !== "string") return Number(value);
      if (!/^[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][+-]?[0-9]{1,4})?$/.test(value))
        throw noDouble;
      return Number(value);
    },
  },
  {
    name: "string",
    form: "function",
    parameters: [["string", "int", "double", "bool", "timestamp"]],
    result: types.string,
    bind: () => (frame, value) => {
      spend(frame, conversion);
      return value instanceof Date ? timeText(value) : String(value);
    },
  },
  {
    name: "bool",
    form: "function",
    parameters: [["bool", "string"]],
    result: types.bool,
    bind: () => (_, value) => {
      if (typeof value === "boolean") return value;
      if (/^(1|t|true|TRUE|True)$/.test(value as string)) return true;
      if (/^(0|f|false|FALSE|False)$/.test(value as string)) return false;
      throw noBool;
    },
  },
  {
    name: "dyn",
    form: "function",
    parameters: [["null", "bool", "int", "double", "string", "timestamp", "list", "map"]],
    result: types.dyn,
    bind: () => (_, value) => value,
  },
  {
    name: "type",
    form: "function",
    parameters: [["null", "bool", "int", "double", "string", "timestamp", "list", "map"]],
    result: types.string,
    bind: () => (_, value) => kindOf(value),
  },
];

/** A double loses its fraction; a text must be decimal digits, with a sign or without. */
function wholeOf(value: Value): bigint {
  let whole: bigint;
  if (typeof value === "bigint") return value;
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw noWhole;
    whole = BigInt(Math.trunc(value));
  } else if (value instanceof Date) {
    return BigInt(Math.floor(value.getTime() / 1000));
  } else {
    const [, sign, digits] = /^([+-]?)([0-9]{1,30})$/.exec(value as string) ?? [];
    if (digits === undefined) throw noWhole;
    whole = sign === "-" ? -BigInt(digits) : BigInt(digits);
  }
  if (BigInt.asIntN(64, whole) !== whole) throw noWhole;
  return whole;
}

/** RFC 3339 in UTC, with milliseconds only where there are some. */
function timeText(time: Date): string {
  return time.toISOString().replace(".000Z", "Z");
}
