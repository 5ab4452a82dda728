import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { Path } from "../diagnostics/index.js";

/** What a document may repeat by aliases. */
const MAX_ALIASES = 1000;

/** A configuration of Envoy as data, with places for people. */
export interface EnvoyDocument {
  /** Undefined when there is a problem. */
  readonly value: unknown;
  /** What is wrong with the text as YAML or JSON, without the text itself. */
  readonly problem: string | undefined;
  /** The 1-based line of a field, or of the nearest one around it. */
  readonly lineOf: (path: Path) => number;
}

/** Reads JSON (a config dump, which may be long), else YAML as Envoy does: version 1.1, one document. */
export function readEnvoyDocument(written: string): EnvoyDocument {
  const text = written.replace(/^\uFEFF/, "");
  if (/^\s*[{[]/.test(text)) {
    try {
      const value: unknown = JSON.parse(text);
      return { value, problem: undefined, lineOf: placesInJson(text) };
    } catch {
      // YAML's flow style begins like JSON.
    }
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: "1.1",
    merge: true,
    prettyErrors: false,
    logLevel: "silent",
    lineCounter: lines,
  });
  const [error] = document.errors;
  if (error !== undefined) {
    const line = Math.max(lines.linePos(error.pos[0]).line, 1);
    return { value: undefined, problem: "no YAML or JSON", lineOf: () => line };
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    const lineOf = (path: Path): number => Math.max(lines.linePos(offsetInYaml(document, path)).line, 1);
    return { value, problem: undefined, lineOf };
  } catch {
    return { value: undefined, problem: "too many aliases, or one without an anchor", lineOf: () => 1 };
  }
}

function offsetInYaml(document: Document, path: Path): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) break;
      offset = (isScalar(pair.key) ? pair.key.range?.[0] : undefined) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === "number" && step < node.items.length) {
      node = node.items[step];
      offset = (isMap(node) || isSeq(node) || isScalar(node) ? node.range?.[0] : undefined) ?? offset;
    } else break;
  }
  return offset;
}

interface Place {
  readonly from: number;
  readonly value: number;
}

/**
 * Where a JSON text, known to be whole, has a path. A dump may have tens of megabytes and a thousand findings, so
 * each mapping or list is gone through once.
 */
function placesInJson(text: string): (path: Path) => number {
  const start = skipSpace(text, 0);
  const lines = [0];
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1)) lines.push(end + 1);
  const known = new Map<number, ReadonlyMap<string, Place>>();
  return (path) => {
    let place: Place = { from: start, value: start };
    for (const step of path) {
      const inside = known.get(place.value) ?? childrenOf(text, place.value);
      known.set(place.value, inside);
      const next = inside.get(String(step));
      if (next === undefined) break;
      place = next;
    }
    return lineAt(lines, place.from);
  };
}

/** The line, from 1, that holds an offset. */
function lineAt(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return low + 1;
}

/** What a mapping or list holds; of a key that is given twice JSON.parse takes the last. */
function childrenOf(text: string, start: number): ReadonlyMap<string, Place> {
  const children = new Map<string, Place>();
  const isMapping = text[start] === "{";
  if (!isMapping && text[start] !== "[") return children;
  let at = skipSpace(text, start + 1);
  for (let i = 0; at < text.length && text[at] !== "]" && text[at] !== "}"; i++) {
    const end = isMapping ? skipString(text, at) : at;
    const value = isMapping ? skipSpace(text, skipSpace(text, end) + 1) : at;
    children.set(isMapping ? String(JSON.parse(text.slice(at, end))) : String(i), { from: at, value });
    at = skipSpace(text, skipValue(text, value));
    if (text[at] === ",") at = skipSpace(text, at + 1);
  }
  return children;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (/[ \t\r\n]/.test(text[at] ?? "")) at++;
  return at;
}

function skipString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

function skipValue(text: string, start: number): number {
  let depth = 0;
  let at = start;
  for (;;) {
    const c = text[at];
    if (c === undefined) return at;
    if (c === '"') at = skipString(text, at);
    else {
      if (depth === 0 && (c === "," || c === "]" || c === "}")) return at;
      if (c === "{" || c === "[") depth++;
      if (c === "}" || c === "]") depth--;
      at++;
    }
    if (depth === 0 && (c === '"' || c === "}" || c === "]")) return at;
  }
}
