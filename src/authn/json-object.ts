import type { Buffer } from "node:buffer";
import { isWellFormed, type JsonObject, type JsonValue } from "../attributes/index.js";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Levels of lists and objects, the outermost included. */
const maxDepth = 100;

/** Thrown and caught within this file. */
class NotJson extends Error {}

/**
 * A JSON object as Envoy reads it into a `google.protobuf.Struct`, whose parser has a dialect (measured on Envoy
 * 1.40): it takes single quotes, names without quotes, raw control characters in texts and a comma behind the last
 * item; it refuses names given twice, lone surrogates, numbers that overflow and more than 100 levels. `null` is an
 * empty object. Undefined for what it refuses.
 */
export function parseJsonObject(bytes: Buffer): JsonObject | undefined {
  try {
    const reader = createReader(utf8.decode(bytes));
    const value = reader.value(1);
    reader.end();
    if (value === null) return {};
    return typeof value === "object" && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

interface Reader {
  readonly value: (depth: number) => JsonValue;
  readonly end: () => void;
}

const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const word = /[A-Za-z_$][A-Za-z0-9_$]*/y;
/** Everything up to the next quote or escape. */
const plain = { '"': /[^"\\]*/y, "'": /[^'\\]*/y };
const unicode = /[0-9A-Fa-f]{4}/y;
const escapes: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["'", "'"],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);
const literals: ReadonlyMap<string, JsonValue> = new Map<string, JsonValue>([
  ["true", true],
  ["false", false],
  ["null", null],
]);

function createReader(text: string): Reader {
  let at = 0;

  const take = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const [found = ""] = pattern.exec(text) ?? [];
    at += found.length;
    return found;
  };
  /** The next character that is no white space. */
  const peek = (): string => {
    let char = text[at];
    while (char === " " || char === "\n" || char === "\r" || char === "\t") char = text[++at];
    return char ?? "";
  };
  const expect = (char: string): void => {
    if (peek() !== char) throw new NotJson();
    at += 1;
  };

  const readEscape = (): string => {
    const char = text[at++] ?? "";
    if (char !== "u") {
      const meant = escapes.get(char);
      if (meant === undefined) throw new NotJson();
      return meant;
    }
    const hex = take(unicode);
    if (hex === "") throw new NotJson();
    return String.fromCharCode(Number.parseInt(hex, 16));
  };
  const string = (quote: '"' | "'"): string => {
    at += 1;
    let content = "";
    for (;;) {
      content += take(plain[quote]);
      const char = text[at++];
      if (char === quote) break;
      if (char === undefined) throw new NotJson();
      content += readEscape();
    }
    if (!isWellFormed(content)) throw new NotJson();
    return content;
  };
  const name = (): string => {
    const char = peek();
    if (char === '"' || char === "'") return string(char);
    const bare = take(word);
    if (bare === "") throw new NotJson();
    return bare;
  };

  /** Items up to the closing bracket; a comma may stand behind the last. */
  const items = (close: string, item: () => void): void => {
    at += 1;
    while (peek() !== close) {
      item();
      if (peek() === ",") at += 1;
      else if (peek() !== close) throw new NotJson();
    }
    at += 1;
  };
  const object = (depth: number): JsonObject => {
    const members = new Map<string, JsonValue>();
    items("}", () => {
      const key = name();
      if (members.has(key)) throw new NotJson();
      expect(":");
      members.set(key, value(depth + 1));
    });
    return Object.fromEntries(members);
  };
  const list = (depth: number): readonly JsonValue[] => {
    const values: JsonValue[] = [];
    items("]", () => values.push(value(depth + 1)));
    return values;
  };
  const literal = (): JsonValue => {
    const found = literals.get(take(word));
    if (found === undefined) throw new NotJson();
    return found;
  };
  const numeric = (): number => {
    const digits = take(number);
    const read = Number(digits);
    if (digits === "" || !Number.isFinite(read)) throw new NotJson();
    return read;
  };

  const value = (depth: number): JsonValue => {
    const char = peek();
    if ((char === "{" || char === "[") && depth > maxDepth) throw new NotJson();
    if (char === "{") return object(depth);
    if (char === "[") return list(depth);
    if (char === '"' || char === "'") return string(char);
    return char === "-" || (char >= "0" && char <= "9") ? numeric() : literal();
  };
  return {
    value,
    end() {
      if (peek() !== "") throw new NotJson();
    },
  };
}
