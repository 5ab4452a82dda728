import { type ByteString, type HttpRequest, toBytes, type Workload } from "../attributes/index.js";
import { type Budget, spend } from "./budget.js";
import { textOf } from "./text.js";
import type { MapOperations } from "./value.js";

/** Headers by lower-case name, lines joined by a comma; `host` is `:authority`, as in policies. */
export const headers: MapOperations<HttpRequest["headers"]> = {
  get: (source, key, budget) => {
    const lines = source.get(nameOf(key));
    if (lines === undefined) return undefined;
    spend(budget, 8 + lines.length);
    return textOf(lines.length === 1 ? (lines[0] ?? "") : lines.join(","), budget);
  },
  has: (source, key) => source.has(nameOf(key)),
  size: (source) => source.size,
  keys: function* keys(source, budget) {
    for (const name of source.keys()) {
      spend(budget, 4);
      yield textOf(name, budget);
    }
  },
};

function nameOf(key: string): ByteString {
  return key === "host" ? ":authority" : toBytes(key);
}

/** What is wrong with a header's name in an expression. */
export function checkHeaderName(name: string): string | undefined {
  const lower = name.toLowerCase();
  return lower === name ? undefined : `header names are in lower case here, expected \`${lower}\``;
}

/** Labels of a workload. */
export const labels: MapOperations<Workload["labels"]> = {
  get: (source, key) => source.get(key),
  has: (source, key) => source.has(key),
  size: (source) => source.size,
  keys: (source) => source.keys(),
};

/**
 * Parameters of a path's query by name, percent-decoded once; `+` is a plus, as for Envoy. Of several with
 * one name the first counts. What is no `%XX` stays as it is.
 */
export const queryParams: MapOperations<ByteString> = {
  get: (path, key, budget) => {
    const name = toBytes(key);
    for (const [spelling, value] of pairs(path, budget))
      if (decode(spelling) === name) return textOf(decode(value), budget);
    return undefined;
  },
  has: (path, key, budget) => {
    const name = toBytes(key);
    for (const [spelling] of pairs(path, budget)) if (decode(spelling) === name) return true;
    return false;
  },
  size: (path, budget) => names(path, budget).size,
  keys: function* keys(path, budget) {
    for (const name of names(path, budget)) yield textOf(name, budget);
  },
};

function names(path: ByteString, budget: Budget): ReadonlySet<ByteString> {
  const found = new Set<ByteString>();
  for (const [spelling] of pairs(path, budget)) found.add(decode(spelling));
  return found;
}

/** Name and value of each part of the query, as they are spelled. */
function* pairs(path: ByteString, budget: Budget): Generator<readonly [name: ByteString, value: ByteString]> {
  const question = path.indexOf("?");
  if (question < 0) return;
  const fragment = path.indexOf("#", question);
  const stop = fragment < 0 ? path.length : fragment;
  for (let start = question + 1; start < stop; ) {
    const and = path.indexOf("&", start);
    const end = and < 0 || and > stop ? stop : and;
    const pair = path.slice(start, end);
    spend(budget, 8 + (pair.length >> 2));
    const equals = pair.indexOf("=");
    if (pair !== "") yield equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
    start = end + 1;
  }
}

function decode(text: ByteString): ByteString {
  if (!text.includes("%")) return text;
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
