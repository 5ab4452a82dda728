import { type ExactNumber, isExactNumber, numberOf, numberText } from "./number.js";
import { isArray, isObject, isSet, objectOf, setOf, type Value } from "./value.js";

/** Values nested deeper are refused: whoever reads them would run out of stack. */
const maxDepth = 500;

/**
 * Reads what `opa_value_dump` writes: JSON in which objects may have keys of any type, and sets are `{1,2}` or
 * `set()`. Of JSON texts it gives the same values as JSON. Throws a SyntaxError for anything else.
 */
export function parseValue(text: string): Value {
  let at = 0;

  const fail = (): never => {
    throw new SyntaxError(`unexpected character at ${at} of a value`);
  };
  const skip = (): void => {
    for (;;) {
      const code = text.charCodeAt(at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      at++;
    }
  };
  const word = (expected: string, value: Value): Value => {
    if (!text.startsWith(expected, at)) fail();
    at += expected.length;
    return value;
  };
  const string = (): string => {
    const start = at++;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === 0x22) break;
      if (Number.isNaN(code) || code < 0x20) fail();
      if (code === 0x5c) {
        at = endOfString(text, start) ?? fail();
        return JSON.parse(text.slice(start, at)) as string;
      }
      at++;
    }
    return text.slice(start + 1, at++);
  };
  const number = (): number | ExactNumber => {
    numberSyntax.lastIndex = at;
    const found = numberSyntax.exec(text)?.[0] ?? fail();
    at += found.length;
    return numberOf(found);
  };
  const comma = (close: string): boolean => {
    skip();
    const char = text.charAt(at);
    if (char !== "," && char !== close) fail();
    at++;
    return char === ",";
  };
  const array = (depth: number): readonly Value[] => {
    const items: Value[] = [];
    at++;
    skip();
    if (text.charAt(at) === "]") {
      at++;
      return items;
    }
    do items.push(value(depth));
    while (comma("]"));
    return items;
  };
  const braces = (depth: number): Value => {
    at++;
    skip();
    if (text.charAt(at) === "}") {
      at++;
      return new Map();
    }
    const first = value(depth);
    skip();
    if (text.charAt(at) !== ":") {
      const members = [first];
      while (comma("}")) members.push(value(depth));
      return setOf(members);
    }
    at++;
    const entries: [Value, Value][] = [[first, value(depth)]];
    while (comma("}")) {
      const key = value(depth);
      skip();
      if (text.charAt(at++) !== ":") fail();
      entries.push([key, value(depth)]);
    }
    return objectOf(entries);
  };
  const value = (depth: number): Value => {
    if (depth > maxDepth) throw new SyntaxError(`value is nested more than ${maxDepth} levels deep`);
    skip();
    switch (text.charAt(at)) {
      case "{":
        return braces(depth + 1);
      case "[":
        return array(depth + 1);
      case '"':
        return string();
      case "n":
        return word("null", null);
      case "t":
        return word("true", true);
      case "f":
        return word("false", false);
      case "s":
        return word("set()", new Set());
      default:
        return number();
    }
  };
  const whole = value(0);
  skip();
  if (at !== text.length) fail();
  return whole;
}

const numberSyntax = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** The place behind a string that begins at `start`; undefined when it does not end. */
function endOfString(text: string, start: number): number | undefined {
  for (let i = start + 1; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === '"') return i + 1;
    if (char === "\\") i++;
  }
  return undefined;
}

/** Writes what `opa_value_parse` reads: the inverse of {@link parseValue}. */
export function valueText(value: Value): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number" || isExactNumber(value)) return numberText(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (isArray(value)) return `[${value.map(valueText).join(",")}]`;
  if (isSet(value)) return value.size === 0 ? "set()" : `{${[...value].map(valueText).join(",")}}`;
  return `{${[...value].map(entryText).join(",")}}`;
}

function entryText([key, member]: readonly [Value, Value]): string {
  return `${valueText(key)}:${valueText(member)}`;
}

/** As JSON, the way OPA gives results out: sets as sorted arrays, keys that are no strings as the JSON of the key. */
export function jsonText(value: Value): string {
  if (isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  if (isSet(value)) return `[${[...value].map(jsonText).join(",")}]`;
  if (isObject(value)) {
    const members = [...value].map(([key, member]) => `${keyText(key)}:${jsonText(member)}`);
    return `{${members.join(",")}}`;
  }
  return valueText(value);
}

function keyText(key: Value): string {
  return JSON.stringify(typeof key === "string" ? key : jsonText(key));
}
