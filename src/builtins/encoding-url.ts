import { objectAt, stringAt } from "./arguments.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { bytesOf, textOf } from "./bytes.js";
import { jsonText } from "./text.js";
import { compareStrings, isArray, isSet, objectOf, type Value } from "./value.js";

/** Go's `url.QueryEscape`: all but letters, digits, `-`, `_`, `.` and `~` as `%XX`, a space as `+`. */
export function escapeQuery(text: string): string {
  let out = "";
  for (const byte of bytesOf(text)) {
    const char = String.fromCharCode(byte);
    if (/[A-Za-z0-9_.~-]/.test(char)) out += char;
    else out += byte === 0x20 ? "+" : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}

/** Go's `url.QueryUnescape`; throws a BuiltinError for a `%` without two digits. */
export function unescapeQuery(text: string): string {
  return unescapePath(text.replace(/\+/g, " "));
}

/** Go's `url.PathUnescape`: as {@link unescapeQuery}, but a `+` stays one. */
export function unescapePath(text: string): string {
  if (!text.includes("%")) return text;
  const parts = bytesOf(text).toString("latin1").split("%");
  const decoded = parts.slice(1).map((part) => {
    const digits = part.slice(0, 2);
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) throw new BuiltinError(`invalid URL escape in \`${text}\``);
    return String.fromCharCode(Number.parseInt(digits, 16)) + part.slice(2);
  });
  return textOf(Buffer.from((parts[0] ?? "") + decoded.join(""), "latin1"));
}

/** Go refuses queries of more parameters. */
const maxParameters = 10_000;

/** Go's `url.ParseQuery`, which refuses `;`. */
function parseQuery(query: string): Value {
  const found = new Map<string, string[]>();
  const pairs = query === "" ? [] : query.split("&");
  if (pairs.length > maxParameters) throw new BuiltinError("too many query parameters");
  for (const pair of pairs) {
    if (pair.includes(";")) throw new BuiltinError("invalid semicolon separator in query");
    if (pair === "") continue;
    const cut = pair.indexOf("=");
    const key = unescapeQuery(cut < 0 ? pair : pair.slice(0, cut));
    const value = cut < 0 ? "" : unescapeQuery(pair.slice(cut + 1));
    const values = found.get(key);
    if (values === undefined) found.set(key, [value]);
    else values.push(value);
  }
  return objectOf(found);
}

/** The strings under one key of `urlquery.encode_object`. */
function stringsOf(value: Value): readonly string[] {
  const items = isArray(value) ? value : isSet(value) ? [...value] : [value];
  return items.map((item) => {
    if (typeof item === "string") return item;
    throw new BuiltinError("values must be string, array[string], or set[string]");
  });
}

/** `urlquery.*` of OPA (topdown/encoding.go). */
export const urlQueryBuiltins: Builtins = {
  "urlquery.encode": (args) => escapeQuery(stringAt(args, 0)),
  "urlquery.decode": (args) => unescapeQuery(stringAt(args, 0)),
  "urlquery.encode_object": (args) =>
    [...objectAt(args, 0)]
      .map(([key, value]) => [typeof key === "string" ? key : jsonText(key), stringsOf(value)] as const)
      .sort(([a], [b]) => compareStrings(a, b))
      .flatMap(([key, values]) => values.map((value) => `${escapeQuery(key)}=${escapeQuery(value)}`))
      .join("&"),
  "urlquery.decode_object": (args) => parseQuery(stringAt(args, 0)),
};
