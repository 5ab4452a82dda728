import type { Path } from "../diagnostics/index.js";

interface Place {
  readonly from: number;
  readonly value: number;
}

/**
 * Where a JSON text, known to be whole, has a path. A dump may have tens of megabytes and a thousand findings, so
 * each mapping or list is gone through once.
 */
export function placesInJson(text: string): (path: Path) => number {
  const start = skipSpace(text, 0);
  const lines = lineStarts(text);
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

function lineStarts(text: string): readonly number[] {
  const lines = [0];
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1)) lines.push(end + 1);
  return lines;
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

/** A key that stands twice in one mapping. */
export interface Repeated {
  readonly key: string;
  /** From 1. */
  readonly first: number;
  readonly second: number;
}

const tokens = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}]/g;

/** The keys that a JSON text, known to be whole, has twice in one mapping. */
export function repeatedInJson(text: string): readonly Repeated[] {
  const lines = lineStarts(text);
  const open: Map<string, number>[] = [];
  const found: Repeated[] = [];
  for (const { 0: token, 1: string, 2: colon, index } of text.matchAll(tokens)) {
    if (token === "{") open.push(new Map());
    else if (token === "}") open.pop();
    else if (string !== undefined && colon !== undefined) {
      const key = string.includes("\\") ? String(JSON.parse(string)) : string.slice(1, -1);
      const keys = open.at(-1);
      const before = keys?.get(key);
      if (before !== undefined)
        found.push({ key, first: lineAt(lines, before), second: lineAt(lines, index) });
      keys?.set(key, index);
    }
  }
  return found;
}
