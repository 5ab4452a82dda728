import { bytesOf } from "./bytes.js";
import { floatText } from "./go-float.js";
import { canBackquote, quoted, quotedCharacter } from "./go-quote.js";
import { isPrintable } from "./go-unicode.js";

/**
 * A value as it reaches Go's fmt: of `sprintf` an int64, *big.Int, float64 or string, of templates the others
 * too.
 */
export type Operand =
  | { readonly type: "int" | "int64" | "*big.Int"; readonly value: bigint }
  | { readonly type: "float64"; readonly value: number }
  | { readonly type: "string" | "json.Number"; readonly value: string }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "[]interface {}"; readonly value: readonly Operand[] }
  | { readonly type: "map[string]interface {}"; readonly value: ReadonlyMap<string, Operand> }
  | { readonly type: "<nil>" };

/** What stands between `%` and the verb. */
export interface Flags {
  plus: boolean;
  minus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  /** `%+v`, where `plus` is off. */
  plusV: boolean;
  /** `%#v`, where `sharp` is off. */
  sharpV: boolean;
  width: number | undefined;
  precision: number | undefined;
}

/** None of them. */
export function noFlags(): Flags {
  return {
    plus: false,
    minus: false,
    sharp: false,
    space: false,
    zero: false,
    plusV: false,
    sharpV: false,
    width: undefined,
    precision: undefined,
  };
}

/** One operand formatted by one verb, also by a verb that is not for its type: `%!d(string=x)`. */
export function formatted(operand: Operand, verb: string, flags: Flags): string {
  if (verb === "T") return text(operand.type, flags);
  if (operand.type === "<nil>") return verb === "v" ? padded("<nil>", flags) : `%!${verb}(<nil>)`;
  return known(operand, verb, flags) ?? badVerb(operand, verb, flags);
}

function known(operand: Operand, verb: string, flags: Flags): string | undefined {
  switch (operand.type) {
    case "int":
    case "int64":
      return integer(operand.value, verb, flags);
    case "*big.Int":
      return verb === "w" || verb === "p" ? undefined : bigInteger(operand.value, verb, flags);
    case "float64":
      return float(operand.value, verb, flags);
    case "json.Number":
    case "string":
      return string(operand.value, verb, flags);
    case "bool":
      return verb === "t" || verb === "v" ? padded(String(operand.value), flags) : undefined;
    case "[]interface {}":
      return `[${operand.value.map((item) => member(item, verb, flags)).join(" ")}]`;
    case "map[string]interface {}": {
      const entries = [...operand.value].map(([key, item]) => {
        return `${formatted({ type: "string", value: key }, verb, flags)}:${member(item, verb, flags)}`;
      });
      return `map[${entries.join(" ")}]`;
    }
    case "<nil>":
      return undefined;
  }
}

function member(operand: Operand, verb: string, flags: Flags): string {
  return operand.type === "<nil>" ? padded("<nil>", flags) : formatted(operand, verb, flags);
}

function badVerb(operand: Operand, verb: string, flags: Flags): string {
  if (operand.type !== "*big.Int") return `%!${verb}(${operand.type}=${formatted(operand, "v", flags)})`;
  const words: string[] = [];
  const size = operand.value < 0n ? -operand.value : operand.value;
  for (let rest = size; rest !== 0n; rest >>= 64n) words.push(BigInt.asUintN(64, rest).toString());
  return `%!${verb}(*big.Int=&{${operand.value < 0n} [${words.join(" ")}]})`;
}

function padding(width: number | undefined, length: number, flags: Flags): string {
  return (flags.zero && !flags.minus ? "0" : " ").repeat(Math.max(0, (width ?? 0) - length));
}

function padded(value: string, flags: Flags): string {
  if (!flags.width) return value;
  const fill = padding(flags.width, runeCount(value), flags);
  return flags.minus ? value + fill : fill + value;
}

function runeCount(value: string): number {
  let count = 0;
  for (const _ of value) count++;
  return count;
}

function paddedWithSpaces(value: string, flags: Flags): string {
  return padded(value, { ...flags, zero: false });
}

function cut(value: string, precision: number | undefined): string {
  if (precision === undefined || value.length <= precision) return value;
  return Array.from(value).slice(0, precision).join("");
}

function text(value: string, flags: Flags): string {
  return padded(cut(value, flags.precision), flags);
}

function string(value: string, verb: string, flags: Flags): string | undefined {
  switch (verb) {
    case "v":
      return flags.sharpV ? quote(value, flags) : text(value, flags);
    case "s":
      return text(value, flags);
    case "x":
    case "X":
      return bytesInHex(value, verb, flags);
    case "q":
      return quote(value, flags);
    default:
      return undefined;
  }
}

function quote(whole: string, flags: Flags): string {
  const value = cut(whole, flags.precision);
  if (flags.sharp && canBackquote(value)) return padded(`\`${value}\``, flags);
  return padded(quoted(value, flags.plus), flags);
}

function bytesInHex(value: string, verb: string, flags: Flags): string {
  const bytes = bytesOf(value).subarray(0, flags.precision ?? value.length * 4);
  if (bytes.length === 0) return padding(flags.width, 0, flags);
  const prefix = flags.sharp ? `0${verb}` : "";
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"));
  const joined = prefix + hex.join(flags.space ? ` ${prefix}` : "");
  return padded(verb === "X" ? joined.toUpperCase() : joined, flags);
}

const bases: Readonly<Record<string, number>> = { b: 2, d: 10, o: 8, O: 8, v: 10, x: 16, X: 16 };

function integer(value: bigint, verb: string, flags: Flags): string | undefined {
  const code = BigInt.asUintN(64, value);
  switch (verb) {
    case "c":
      return padded(character(code), flags);
    case "q":
      return padded(quotedCharacter(character(code), flags.plus), flags);
    case "U":
      return unicode(code, flags);
    default: {
      const base = Object.hasOwn(bases, verb) ? bases[verb] : undefined;
      return base === undefined ? undefined : digits(value, base, verb, flags);
    }
  }
}

function character(code: bigint): string {
  const isValid = code <= 0x10ffffn && !(code >= 0xd800n && code <= 0xdfffn);
  return isValid ? String.fromCodePoint(Number(code)) : "\ufffd";
}

function unicode(code: bigint, flags: Flags): string {
  const hex = code
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(4, flags.precision ?? 0), "0");
  const char = character(code);
  const isShown = flags.sharp && code <= 0x10ffffn && char.codePointAt(0) === Number(code);
  return paddedWithSpaces(`U+${hex}${isShown && isPrintable(char) ? ` '${char}'` : ""}`, flags);
}

function signOf(value: bigint, plus: boolean, space: boolean): string {
  return value < 0n ? "-" : plus ? "+" : space ? " " : "";
}

function digits(value: bigint, base: number, verb: string, flags: Flags): string {
  const sign = signOf(value, flags.plus, flags.space);
  let count = flags.precision ?? 0;
  if (flags.precision === 0 && value === 0n) return " ".repeat(flags.width ?? 0);
  if (flags.precision === undefined && flags.zero && !flags.minus && flags.width !== undefined) {
    count = flags.width - sign.length;
  }
  let body = (value < 0n ? -value : value).toString(base).padStart(count, "0");
  if (verb === "X") body = body.toUpperCase();
  if (flags.sharp) body = prefixed(body, base, verb);
  if (verb === "O") body = `0o${body}`;
  return paddedWithSpaces(sign + body, flags);
}

function prefixed(body: string, base: number, verb: string): string {
  if (base === 2) return `0b${body}`;
  if (base === 8) return body.startsWith("0") ? body : `0${body}`;
  return base === 16 ? `0${verb}${body}` : body;
}

const prefixes: Readonly<Record<string, string>> = { b: "0b", o: "0", x: "0x", X: "0X" };

/** Format of *big.Int, whose flags differ in details from those of int64. */
function bigInteger(value: bigint, verb: string, flags: Flags): string {
  const base = verb === "s" ? 10 : Object.hasOwn(bases, verb) ? bases[verb] : undefined;
  if (base === undefined) return `%!${verb}(big.Int=${value})`;
  const sign = signOf(value, flags.plus || flags.plusV, flags.space);
  const prefix = verb === "O" ? "0o" : flags.sharp && Object.hasOwn(prefixes, verb) ? prefixes[verb] : "";
  let body = (value < 0n ? -value : value).toString(base);
  if (verb === "X") body = body.toUpperCase();
  body = body.padStart(flags.precision ?? 0, "0");
  const missing = (flags.width ?? 0) - sign.length - (prefix ?? "").length - body.length;
  const fill = Math.max(0, missing);
  if (flags.minus) return `${sign}${prefix}${body}${" ".repeat(fill)}`;
  if (flags.zero && flags.precision === undefined) return `${sign}${prefix}${"0".repeat(fill)}${body}`;
  return `${" ".repeat(fill)}${sign}${prefix}${body}`;
}

function float(value: number, verb: string, flags: Flags): string | undefined {
  if (!/^[vbgGxXfFeE]$/.test(verb)) return undefined;
  const letter = verb === "v" ? "g" : verb === "F" ? "f" : verb;
  const precision = flags.precision ?? (/[fFeE]/.test(verb) ? 6 : -1);
  let body = floatText(value, letter, precision);
  const sign = body.startsWith("-") ? "-" : flags.plus ? "+" : flags.space ? " " : "";
  body = body.replace(/^-/, "");
  if (flags.sharp && letter !== "b") body = withPoint(body, letter, precision);
  const length = sign.length + body.length;
  if (sign !== "" && flags.zero && !flags.minus) return sign + padding(flags.width, length, flags) + body;
  return padded(sign + body, flags);
}

/** `%#g`: a point in any case, and no zeros removed. */
function withPoint(body: string, letter: string, precision: number): string {
  const isHex = letter === "x" || letter === "X";
  const at = body.search(isHex ? /[pP]/ : /[eE]/);
  const [number, tail] = at < 0 ? [body, ""] : [body.slice(0, at), body.slice(at)];
  let missing = /[gGx]/.test(letter) ? (precision === -1 ? 6 : precision) : 0;
  missing -= number.replace(".", "").replace(/^0+/, "").length;
  if (!number.includes(".") && number === "0") missing--;
  const point = number.includes(".") ? "" : ".";
  return `${number}${point}${"0".repeat(Math.max(0, missing))}${tail}`;
}
