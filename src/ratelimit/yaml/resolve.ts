import { Buffer } from "node:buffer";
import type { ScalarNode } from "./nodes.js";

/** What a scalar means. `fits`: as an int64; beyond that it is yaml.v2's uint64. */
export type Resolved =
  | { readonly kind: "null" }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "int"; readonly value: bigint; readonly fits: boolean }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "time" }
  /** `value`: what a field of text gets; of all others it is the source text. */
  | { readonly kind: "text"; readonly value: string }
  /** The tag asks for what the text is not. */
  | { readonly kind: "wrong"; readonly expected: string };

const prefix = "tag:yaml.org,2002:";

const kinds: ReadonlyMap<string, Resolved["kind"]> = new Map([
  ["str", "text"],
  ["bool", "bool"],
  ["int", "int"],
  ["float", "float"],
  ["null", "null"],
  ["timestamp", "time"],
]);

const words: ReadonlyMap<string, Resolved> = new Map<string, Resolved>([
  ...["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"].map(
    (word) => [word, { kind: "bool", value: true }] as const,
  ),
  ...["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"].map(
    (word) => [word, { kind: "bool", value: false }] as const,
  ),
  ...["", "~", "null", "Null", "NULL"].map((word) => [word, { kind: "null" }] as const),
  ...[".nan", ".NaN", ".NAN"].map((word) => [word, { kind: "float", value: Number.NaN }] as const),
  ...[".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"].map(
    (word) => [word, { kind: "float", value: Infinity }] as const,
  ),
  ...["-.inf", "-.Inf", "-.INF"].map((word) => [word, { kind: "float", value: -Infinity }] as const),
]);

/** Reads a scalar by the rules of gopkg.in/yaml.v2, which are nearly those of YAML 1.1. */
export function resolveScalar({ value, tag, isImplicit }: ScalarNode): Resolved {
  if (tag === "" && !isImplicit) return { kind: "text", value };
  if (tag === `${prefix}binary`) return resolveBinary(value);
  if (tag === "") return resolvePlain(value, true);
  const name = tag.startsWith(prefix) ? tag.slice(prefix.length) : "";
  const expected = kinds.get(name);
  if (expected === undefined || expected === "text") return { kind: "text", value };
  const found = resolvePlain(value, expected === "time");
  if (found.kind === expected) return found;
  if (expected === "float" && found.kind === "int" && found.fits) {
    return { kind: "float", value: Number(found.value) };
  }
  return { kind: "wrong", expected: name };
}

/** Whether a scalar is a null before its type matters: by yaml.v2's short cut, which knows two spellings. */
export function isPlainNull({ value, tag, isImplicit }: ScalarNode): boolean {
  return tag === ""
    ? isImplicit && (value === "" || value === "~" || value === "null")
    : tag === `${prefix}null`;
}

/** Whether a key asks for the pairs of its value. */
export function isMergeKey(node: { readonly kind: string }): boolean {
  const { kind, value, tag, isImplicit } = node as ScalarNode;
  return kind === "scalar" && value === "<<" && (isImplicit || tag === `${prefix}merge`);
}

function resolvePlain(value: string, mayBeTime: boolean): Resolved {
  const text: Resolved = { kind: "text", value };
  const first = value[0] ?? "N";
  if (!/[-+0-9.yYnNtTfFoO~]/.test(first)) return text;
  const word = words.get(value);
  if (word !== undefined) return word;
  if (first === ".") return (pointed.test(value) ? readFloat(value.replaceAll("_", "")) : undefined) ?? text;
  if (!/[-+0-9]/.test(first)) return text;
  if (mayBeTime && isTime(value)) return { kind: "time" };
  const plain = value.replaceAll("_", "");
  return (
    readInteger(plain) ?? (float.test(plain) ? readFloat(plain) : undefined) ?? readBinary(plain) ?? text
  );
}

const float = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;

/** Go's literals: `_` only between digits. */
const pointed = /^\.[0-9](?:_?[0-9])*(?:[eE][-+]?[0-9](?:_?[0-9])*)?$/;

/** Undefined beyond float64, as Go has it. */
function readFloat(text: string): Resolved | undefined {
  const value = Number(text);
  return Number.isFinite(value) ? { kind: "float", value } : undefined;
}

/** Go's literals: 0x, 0o, 0b, and octal behind a 0. A sign keeps it within int64. */
function readInteger(text: string): Resolved | undefined {
  const [, sign, hex, octal, binary, oldOctal, decimal] =
    /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]([0-7]+)|0[bB]([01]+)|0([0-7]*)|([1-9][0-9]*))$/.exec(text) ?? [];
  if (sign === undefined) return undefined;
  const base = hex !== undefined ? "0x" : decimal !== undefined ? "" : binary !== undefined ? "0b" : "0o";
  const digits = (hex ?? octal ?? binary ?? oldOctal ?? decimal ?? "").replace(/^0+/, "");
  return integer(sign, base, digits);
}

/** What yaml.v2 takes besides: a sign behind `0b`. */
function readBinary(text: string): Resolved | undefined {
  const [, sign, digits] = /^0b([-+])([01]+)$/.exec(text) ?? [];
  return sign === undefined || digits === undefined
    ? undefined
    : integer(sign, "0b", digits.replace(/^0+/, ""));
}

function integer(sign: string, base: string, digits: string): Resolved | undefined {
  if (digits.length > 64) return undefined;
  const size = digits === "" ? 0n : BigInt(base + digits);
  const value = sign === "-" ? -size : size;
  const fits = value >= -(2n ** 63n) && value < 2n ** 63n;
  if (!fits && (sign !== "" || value >= 2n ** 64n)) return undefined;
  return { kind: "int", value, fits };
}

/** Bytes that are no UTF-8 become half surrogates: a text that no request can hold. */
function resolveBinary(value: string): Resolved {
  const digits = value.replace(/[\r\n]/g, "");
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(digits)) {
    return { kind: "wrong", expected: "binary" };
  }
  const bytes = Buffer.from(digits, "base64");
  try {
    return { kind: "text", value: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    const units = [...bytes].map((byte) => String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte));
    return { kind: "text", value: units.join("") };
  }
}

const date = `([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})`;
const clock = `([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?`;
const zone = `(?:Z|[-+]([0-9]{2}):([0-9]{2}))`;
const times = [
  new RegExp(`^${date}[Tt]${clock}${zone}$`),
  new RegExp(`^${date} +${clock}$`),
  new RegExp(`^${date}$`),
];

/** Go's time.Parse with yaml.v2's four layouts. */
function isTime(value: string): boolean {
  const parts = times.map((pattern) => pattern.exec(value)).find((match) => match !== null);
  if (parts === undefined || parts === null) return false;
  const [, year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, zoneHour = 0, zoneMinute = 0] =
    parts.map(Number);
  const isInMonth = month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month);
  const isZone = !(zoneHour > 24 || zoneMinute > 60);
  return isInMonth && hour < 24 && minute < 60 && second < 60 && isZone;
}

function daysOf(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
}
