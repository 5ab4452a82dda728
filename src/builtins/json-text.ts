import { BuiltinError } from "./builtin.js";
import { LimitError } from "./limit.js";
import { numberText } from "./number.js";
import { parseValue } from "./text.js";
import { compareStrings, isArray, isNumber, isObject, isSet, type Value } from "./value.js";

/** Go's decoder refuses texts that are nested deeper. */
const maxDepth = 10_000;

/** And these no value can be made of here: {@link parseValue} recurses. */
const maxReadable = 500;

/** Whether a text is one JSON document, as Go's `json.Valid` has it. */
export function isJson(text: string): boolean {
  if (depthOf(text) > maxDepth) return false;
  try {
    // The engine's own parser: as strict as Go's, and it does not recurse.
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Levels of brackets in a JSON text. */
function depthOf(text: string): number {
  if (text.length <= maxReadable) return 0;
  let [depth, deepest, quoted] = [0, 0, false];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (quoted) {
      if (code === 0x5c) i++;
      else if (code === 0x22) quoted = false;
    } else if (code === 0x22) quoted = true;
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
  return deepest;
}

/**
 * Reads one JSON document: number texts are kept, of equal keys the last counts, lone surrogates and bytes that are
 * no UTF-8 become U+FFFD (Go's encoding/json with UseNumber). Throws a BuiltinError for anything else.
 */
export function readJson(text: string): Value {
  const depth = depthOf(text);
  if (depth > maxDepth) throw new BuiltinError("exceeded max depth");
  if (depth > maxReadable) throw new LimitError(`text of more than ${maxReadable} levels`);
  try {
    JSON.parse(text);
    const value = parseValue(unescaped(text));
    if (/\d[eE][+-]?\d{4}/.test(text)) checkNumbers(value);
    return value;
  } catch (cause) {
    throw new BuiltinError(cause instanceof Error ? cause.message : "invalid json");
  }
}

/** OPA refuses numbers beyond 2^±100,000. */
function checkNumbers(value: Value): void {
  if (isNumber(value)) {
    const [, digits = "", fraction = "", power = "0"] =
      /^-?0*(\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(numberText(value)) ?? [];
    const size = digits === "" ? -(/[1-9]/.exec(fraction)?.index ?? 0) : digits.length;
    const isZero = /^0*$/.test(digits + fraction);
    if (!isZero && Math.abs(Number(power) + size) > 100_000 * Math.log10(2))
      throw new RangeError("number too big");
  } else if (isArray(value)) for (const item of value) checkNumbers(item);
  else if (isObject(value)) for (const member of value.values()) checkNumbers(member);
}

/** A pair of escaped surrogates, one that is alone, or any other escape. */
const escapes = /\\u(?:d[89ab][\da-f]{2}\\ud[c-f][\da-f]{2}|(d[89a-f][\da-f]{2}))|\\[^u]/gi;

/** With U+FFFD for each byte that is no UTF-8, and for half characters. */
export function wellFormed(text: string): string {
  return loneSurrogate.test(text) ? text.replace(loneSurrogates, "\ufffd") : text;
}

/** A JSON text without escapes of half characters. */
function unescaped(text: string): string {
  const raw = wellFormed(text);
  if (!/\\ud/i.test(raw)) return raw;
  return raw.replace(escapes, (found, alone: string | undefined) => (alone === undefined ? found : "\ufffd"));
}

const loneSurrogate = /[\ud800-\udfff]/u;
const loneSurrogates = /[\ud800-\udfff]/gu;

/** How a JSON text is laid out over lines. */
export interface Layout {
  readonly prefix: string;
  readonly indent: string;
}

/**
 * Writes a value as Go's encoding/json does: members sorted by their key's bytes, `<`, `>`, `&`, U+2028 and U+2029
 * escaped, sets as sorted arrays, keys that are no strings as their JSON. Over several lines when a layout is given;
 * the first line then has no prefix.
 */
export function writeJson(value: Value, layout?: Layout): string {
  return written(value, layout, layout === undefined ? "" : `\n${layout.prefix}`);
}

function written(value: Value, layout: Layout | undefined, line: string): string {
  if (typeof value === "string") return quote(value);
  if (isNumber(value)) return numberText(value);
  if (value === null || typeof value === "boolean") return String(value);
  const inner = layout === undefined ? "" : line + layout.indent;
  const [open, close, items] = isObject(value)
    ? ["{", "}", membersOf(value, layout, inner)]
    : ["[", "]", (isArray(value) ? value : [...value]).map((item) => written(item, layout, inner))];
  return items.length === 0 ? open + close : open + inner + items.join(`,${inner}`) + line + close;
}

function membersOf(
  object: ReadonlyMap<Value, Value>,
  layout: Layout | undefined,
  inner: string,
): readonly string[] {
  const colon = layout === undefined ? ":" : ": ";
  return jsonEntries(object).map(([key, member]) => quote(key) + colon + written(member, layout, inner));
}

/** An object's members as JSON has them: keys are strings, sorted by their bytes; of equal ones the last counts. */
export function jsonEntries(object: ReadonlyMap<Value, Value>): readonly (readonly [string, Value])[] {
  const entries: (readonly [string, Value])[] = [];
  let foreign = false;
  for (const [key, member] of object) {
    if (typeof key !== "string") foreign = true;
    entries.push([typeof key === "string" ? key : writeJson(key), member]);
  }
  return foreign ? [...new Map(entries)].sort(([a], [b]) => compareStrings(a, b)) : entries;
}

/** The JSON of a value as a value: sets are arrays, all keys are strings (OPA's `ast.JSON`). */
export function jsonValue(value: Value): Value {
  if (isArray(value)) return value.map(jsonValue);
  if (isSet(value)) return [...value].map(jsonValue);
  if (!isObject(value)) return value;
  return new Map(jsonEntries(value).map(([key, member]) => [key, jsonValue(member)]));
}

const toEscape = /[<>&\u2028\u2029]/g;

function quote(text: string): string {
  const quoted = JSON.stringify(text);
  // Half characters, and so bytes that are no UTF-8: as an escape, where U+FFFD itself is not escaped.
  const whole = loneSurrogate.test(text)
    ? quoted.replace(/\\\\|\\ud[89a-f][\da-f]{2}/g, replacement)
    : quoted;
  return whole.replace(toEscape, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function replacement(found: string): string {
  return found === "\\\\" ? found : "\\ufffd";
}
