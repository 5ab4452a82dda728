import { ContentError } from "./error.js";
import { bufferOf, textOfByteString } from "./text.js";

/** Pairs beyond which Go's net/url refuses a query. */
const maxPairs = 10_000;

const badEscape = /%(?![0-9a-fA-F]{2})/;
const escapes = /%([0-9a-fA-F]{2})/g;

/**
 * Percent-decodes a string whose characters are bytes into another, as Go's url.PathUnescape: `+` stays. Throws
 * `bad_query` for a bad escape.
 */
export function unescapeBytes(text: string): string {
  if (!text.includes("%")) return text;
  if (badEscape.test(text)) throw new ContentError("bad_query", "invalid percent escape");
  return text.replace(escapes, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/**
 * The values of each name, of a string whose characters are bytes, as Go's url.ParseQuery: `+` is a space, empty pairs
 * are skipped, a name without `=` has the value "". Throws `bad_query` for a raw `;` or a bad escape in any pair,
 * `too_many` for more than 10,000 pairs. Names that differ only in bytes that are not UTF-8 become one.
 */
export function parseQuery(query: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  if (query === "") return values;
  const pairs = query.split("&", maxPairs + 1);
  if (pairs.length > maxPairs) throw new ContentError("too_many", `more than ${maxPairs} pairs in a query`);
  if (query.includes(";")) throw new ContentError("bad_query", "invalid semicolon in a query");
  for (const pair of pairs) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = component(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? "" : component(pair.slice(equals + 1));
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  return values;
}

function component(text: string): string {
  return textOfByteString(unescapeBytes(text.includes("+") ? text.replaceAll("+", " ") : text));
}

/** Throws as {@link parseQuery}. Gives the JSON text of an object of lists of strings. */
export function decodeForm(body: Uint8Array): string {
  return jsonOfLists(parseQuery(bufferOf(body).toString("latin1")), JSON.stringify);
}

/** JSON text of an object of lists. */
export function jsonOfLists<T>(lists: ReadonlyMap<string, readonly T[]>, write: (item: T) => string): string {
  let out = "";
  for (const [name, items] of lists) {
    let list = "";
    for (const item of items) list += list === "" ? write(item) : `,${write(item)}`;
    out += `${out === "" ? "" : ","}${JSON.stringify(name)}:[${list}]`;
  }
  return `{${out}}`;
}
