import { arrayAt, stringAt } from "./arguments.js";
import type { Builtins } from "./builtin.js";
import { int64Of } from "./go-integer.js";
import { type Flags, formatted, noFlags, type Operand } from "./go-verbs.js";
import { LimitError } from "./limit.js";
import { numberText } from "./number.js";
import { termText } from "./term-text.js";
import { isNumber, type Value } from "./value.js";

/**
 * `sprintf` (v1/topdown/strings.go), which hands strings and numbers to Go's fmt and all else as its text.
 */
export const sprintf: Builtins = {
  sprintf: (args) => {
    const values = arrayAt(args, 1);
    let digits = 0;
    for (const value of values)
      if (isNumber(value) && typeof value !== "number") digits += value.exact.length;
    if (digits > maxDigits) throw new LimitError(`numbers of more than ${maxDigits} digits`);
    return printed(stringAt(args, 0), values.map(operandOf));
  },
};

/** Digits of all numbers that JavaScript has not. */
const maxDigits = 100_000;

function operandOf(value: Value): Operand {
  if (typeof value === "string") return { type: "string", value };
  if (!isNumber(value)) return { type: "string", value: termText(value) };
  const text = numberText(value);
  if (/[.eE]/.test(text)) {
    const number = Number(text);
    return Number.isFinite(number) ? { type: "float64", value: number } : { type: "string", value: text };
  }
  const integer = int64Of(value);
  if (integer !== undefined) return { type: "int64", value: integer };
  return { type: "*big.Int", value: BigInt(text) };
}

/** Longer results are refused: widths of a million are allowed, and there may be many. */
const maxLength = 1 << 20;

/** Widths and precisions beyond are no numbers for Go. */
const maxNumber = 1_000_000;

/** Go's fmt.Sprintf. */
export function printed(format: string, operands: readonly Operand[]): string {
  const parts: string[] = [];
  let length = 0;
  const write = (part: string): void => {
    length += part.length;
    if (length > maxLength) throw new LimitError(`text of more than ${maxLength} characters`);
    parts.push(part);
  };
  const state: State = { format, operands, at: 0, next: 0, isGood: true, isReordered: false };
  while (state.at < format.length) {
    const percent = format.indexOf("%", state.at);
    write(format.slice(state.at, percent < 0 ? undefined : percent));
    if (percent < 0) break;
    state.at = percent + 1;
    directive(state, write);
  }
  if (!state.isReordered && state.next < operands.length) {
    const extra = operands
      .slice(state.next)
      .map((it) => (it.type === "<nil>" ? "<nil>" : `${it.type}=${formatted(it, "v", noFlags())}`));
    write(`%!(EXTRA ${extra.join(", ")})`);
  }
  return parts.join("");
}

/** Where the reading of a format is. */
interface State {
  readonly format: string;
  readonly operands: readonly Operand[];
  at: number;
  /** The operand that comes next. */
  next: number;
  /** Whether the directive's explicit operand exists. */
  isGood: boolean;
  /** Whether there was any explicit operand, `%[2]d`. */
  isReordered: boolean;
}

/** One directive, whose `%` is already read. */
function directive(state: State, write: (part: string) => void): void {
  const { format, operands } = state;
  const flags = noFlags();
  state.isGood = true;
  for (; state.at < format.length && setFlag(flags, format.charAt(state.at)); state.at++);
  let afterIndex = explicitOperand(state);
  afterIndex = readWidth(state, flags, afterIndex, write);
  afterIndex = readPrecision(state, flags, afterIndex, write);
  if (!afterIndex) explicitOperand(state);
  if (state.at >= format.length) {
    write("%!(NOVERB)");
    return;
  }
  const code = format.codePointAt(state.at) ?? 0;
  state.at += code > 0xffff ? 2 : 1;
  const verb = code >= 0xd800 && code <= 0xdfff ? "\ufffd" : String.fromCodePoint(code);
  const operand = operands[state.next];
  if (verb === "%") write("%");
  else if (!state.isGood) write(`%!${verb}(BADINDEX)`);
  else if (operand === undefined) write(`%!${verb}(MISSING)`);
  else {
    if (verb === "v" || verb === "w") {
      Object.assign(flags, { sharpV: flags.sharp, plusV: flags.plus, sharp: false, plus: false });
    }
    state.next++;
    write(formatted(operand, verb, flags));
  }
}

function setFlag(flags: Flags, char: string): boolean {
  switch (char) {
    case "#":
      flags.sharp = true;
      return true;
    case "0":
      flags.zero = true;
      return true;
    case "+":
      flags.plus = true;
      return true;
    case "-":
      flags.minus = true;
      return true;
    case " ":
      flags.space = true;
      return true;
    default:
      return false;
  }
}

/** Reads `[2]`, if that is what comes; says whether it was one. */
function explicitOperand(state: State): boolean {
  const { format, operands } = state;
  if (format.charAt(state.at) !== "[") return false;
  state.isReordered = true;
  const close = format.indexOf("]", state.at + 1);
  // Go looks for a bracket only where there are three bytes left.
  if (close < 0 || format.length - state.at < 3) {
    state.isGood = false;
    state.at++;
    return false;
  }
  const inside = format.slice(state.at + 1, close);
  state.at = close + 1;
  const number = /^\d+$/.test(inside) ? bounded(inside) : undefined;
  if (number === undefined) {
    state.isGood = false;
    return false;
  }
  if (number >= 1 && number <= operands.length) state.next = number - 1;
  else state.isGood = false;
  return true;
}

/** Go gives up on a number as soon as another digit follows one beyond a million. */
function bounded(digits: string): number | undefined {
  let value = 0;
  for (const digit of digits) {
    if (value > maxNumber) return undefined;
    value = value * 10 + Number(digit);
  }
  return value;
}

/** A number of the format; one that is too long swallows the rest of it. */
function number(state: State): number | undefined {
  const digits = /\d*/y;
  digits.lastIndex = state.at;
  const found = digits.exec(state.format)?.[0] ?? "";
  const value = found === "" ? undefined : bounded(found);
  state.at = found !== "" && value === undefined ? state.format.length : state.at + found.length;
  return value;
}

/** The operand that stands for `*`. */
function star(state: State): number | undefined {
  state.at++;
  const operand = state.operands[state.next];
  if (operand === undefined) return undefined;
  state.next++;
  if (operand.type !== "int64" && operand.type !== "int") return undefined;
  const value = Number(operand.value);
  return Math.abs(value) > maxNumber ? undefined : value;
}

function readWidth(state: State, flags: Flags, afterIndex: boolean, write: (part: string) => void): boolean {
  if (state.format.charAt(state.at) !== "*") {
    flags.width = number(state);
    if (afterIndex && flags.width !== undefined) state.isGood = false;
    return afterIndex;
  }
  const width = star(state);
  if (width === undefined) write("%!(BADWIDTH)");
  else if (width < 0) Object.assign(flags, { width: -width, minus: true, zero: false });
  else flags.width = width;
  return false;
}

function readPrecision(
  state: State,
  flags: Flags,
  afterWidth: boolean,
  write: (part: string) => void,
): boolean {
  // A point that ends the format is its verb.
  if (state.format.charAt(state.at) !== "." || state.at + 1 >= state.format.length) return afterWidth;
  state.at++;
  if (afterWidth) state.isGood = false;
  const afterIndex = explicitOperand(state);
  if (state.format.charAt(state.at) !== "*") {
    flags.precision = number(state) ?? 0;
    return afterIndex;
  }
  const precision = star(state);
  if (precision === undefined || precision < 0) write("%!(BADPREC)");
  else flags.precision = precision;
  return false;
}
