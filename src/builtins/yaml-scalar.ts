import { BuiltinError } from "./builtin.js";
import { textOf } from "./bytes.js";
import { wellFormed } from "./json-text.js";

/** What a plain scalar of YAML stands for: as go-yaml v3 resolves it (YAML 1.2's core schema and some of 1.1). */
export type Scalar =
  | { readonly tag: "null" }
  | { readonly tag: "bool"; readonly value: boolean }
  | { readonly tag: "int"; readonly value: bigint }
  | { readonly tag: "float"; readonly value: number }
  | { readonly tag: "str"; readonly value: string };

const words: ReadonlyMap<string, Scalar> = new Map<string, Scalar>([
  ...["", "~", "null", "Null", "NULL"].map((word) => [word, { tag: "null" }] as const),
  ...["true", "True", "TRUE"].map((word) => [word, { tag: "bool", value: true }] as const),
  ...["false", "False", "FALSE"].map((word) => [word, { tag: "bool", value: false }] as const),
  ...[".nan", ".NaN", ".NAN"].map((word) => [word, { tag: "float", value: Number.NaN }] as const),
  ...[".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"].map(
    (word) => [word, { tag: "float", value: Number.POSITIVE_INFINITY }] as const,
  ),
  ...["-.inf", "-.Inf", "-.INF"].map(
    (word) => [word, { tag: "float", value: Number.NEGATIVE_INFINITY }] as const,
  ),
]);

/** Resolves a plain scalar without a tag. Timestamps stay text, as in OPA. */
export function resolvePlain(text: string): Scalar {
  const word = words.get(text);
  if (word !== undefined) return word;
  const plain = text.replaceAll("_", "");
  const value = /^[-+\d]/.test(text) ? integerOf(plain) : undefined;
  if (value !== undefined) return { tag: "int", value };
  // With a point in front underscores may only stand between digits.
  if (/^[-+\d]/.test(text) ? floatSyntax.test(plain) : /^\.\d/.test(text) && pointed.test(text)) {
    const number = Number(plain);
    if (Number.isFinite(number)) return { tag: "float", value: number };
  }
  return { tag: "str", value: text };
}

const pointed = /^\.\d+(?:_\d+)*(?:[eE][-+]?\d+(?:_\d+)*)?$/;
const floatSyntax = /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/;

/** Of 64 bits, with a sign or without; decimal, 0x, 0o, 0b, and 0 for octal. */
function integerOf(plain: string): bigint | undefined {
  const found = /^([-+]?)(?:0[xX]([\da-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9]\d*))$/.exec(plain);
  if (found === null || plain.length > 80) return undefined;
  const [, sign = "", hex, binary, octal, decimal = "0"] = found;
  const size =
    hex !== undefined
      ? BigInt(`0x${hex}`)
      : binary !== undefined
        ? BigInt(`0b${binary}`)
        : BigInt(octal === undefined ? decimal : `0o${octal}`);
  const value = sign === "-" ? -size : size;
  const limit = sign === "" ? 1n << 64n : 1n << 63n;
  return value < limit && value >= -(1n << 63n) ? value : undefined;
}

/** Resolves a scalar that has a tag of YAML's own (`!!int`), by its short name; other tags make it text. */
export function resolveTagged(tag: string, text: string): Scalar {
  switch (tag) {
    case "bool":
    case "int":
    case "float":
    case "null": {
      const found = resolvePlain(text);
      if (found.tag === tag) return found;
      if (tag === "float" && found.tag === "int") return { tag, value: Number(found.value) };
      throw new BuiltinError(`cannot decode !!${found.tag} as a !!${tag}`);
    }
    case "binary": {
      const base64 = text.replace(/[\r\n]/g, "");
      const valid = base64.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(base64);
      if (!valid) throw new BuiltinError("!!binary value contains invalid base64 data");
      return { tag: "str", value: wellFormed(textOf(Buffer.from(base64, "base64"))) };
    }
    case "timestamp":
      throw new BuiltinError("!!timestamp is not supported");
    default:
      return { tag: "str", value: text };
  }
}

/** The key of a JSON object that a scalar becomes; undefined for null. */
export function keyText(scalar: Scalar): string | undefined {
  if (scalar.tag === "null") return undefined;
  return scalar.tag === "float" ? shortFloat(scalar.value) : String(scalar.value);
}

/** Go's `%g` of a float of 32 bits. */
function shortFloat(value: number): string {
  const float = Math.fround(value);
  if (!Number.isFinite(float)) return Number.isNaN(float) ? ".nan" : float > 0 ? ".inf" : "-.inf";
  let digits = 1;
  while (digits < 9 && Math.fround(Number(float.toPrecision(digits))) !== float) digits++;
  return goFloat(Number(float.toPrecision(digits)));
}

/** Go's `%g` of a double, with as many digits as it takes. */
export function goFloat(value: number): string {
  if (Object.is(value, -0)) return "-0";
  const [mantissa = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 6) return String(value);
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}
