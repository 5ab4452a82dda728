import type { Budget } from "./budget.js";
import type { Type } from "./type.js";
import type { Value } from "./value.js";

/** One attribute: its name, what it is, and how it is read when an expression asks for it. */
export interface Attribute<Input> {
  /** Dotted, `request.headers`. */
  readonly name: string;
  readonly type: Type;
  /** Undefined where a request does not have it: an error of the expression. */
  readonly read: (input: Input, budget: Budget) => Value | undefined;
  /** What is wrong with a key that stands in the expression itself. */
  readonly checkKey?: (key: string) => string | undefined;
  /** The name is known elsewhere and not here: what is said of an expression that has it. */
  readonly refused?: string;
}

/** The attributes that expressions of one kind know. */
export interface Vocabulary<Input> {
  readonly attributes: ReadonlyMap<string, Attribute<Input>>;
  /** What stands before a dot in some name: `request`, `request.auth`. */
  readonly namespaces: ReadonlySet<string>;
}

/** A vocabulary of a table; tables of several sources can be joined, each name once. */
export function createVocabulary<Input>(table: readonly Attribute<Input>[]): Vocabulary<Input> {
  const namespaces = new Set<string>();
  for (const { name } of table) {
    for (let dot = name.indexOf("."); dot > 0; dot = name.indexOf(".", dot + 1))
      namespaces.add(name.slice(0, dot));
  }
  return { attributes: new Map(table.map((attribute) => [attribute.name, attribute])), namespaces };
}

/** The name that was probably meant; undefined when none is near. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = distanceOf(name, candidate, least);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Levenshtein's distance; `limit` where it is not less. */
function distanceOf(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? limit;
}
