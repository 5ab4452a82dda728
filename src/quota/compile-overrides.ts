import type { Override } from "./quota.js";

/** The index of the first override that matches the dimensions' values, -1 without one. */
export type FindOverride = (values: readonly string[]) => number;

interface Condition {
  readonly dimension: number;
  readonly matches: (value: string) => boolean;
}

interface Candidate {
  readonly index: number;
  readonly conditions: readonly Condition[];
}

/** Overrides that ask for one exact value of a dimension, by that value; each list in order. */
interface Exact {
  readonly dimension: number;
  readonly byValue: ReadonlyMap<string, readonly Candidate[]>;
}

/**
 * Compiles overrides, so that thousands of exact values cost what one does. `names` are those of the dimensions, in
 * order; every dimension of an override is one of them.
 */
export function compileOverrides(overrides: readonly Override[], names: readonly string[]): FindOverride {
  if (overrides.length === 0) return () => -1;
  const exact = new Map<number, Map<string, Candidate[]>>();
  const others: Candidate[] = [];
  overrides.forEach(({ dimensions }, index) => {
    const first = dimensions.find(([, pattern]) => isExact(pattern));
    const conditions = dimensions
      .filter((pair) => pair !== first && pair[1] !== "*")
      .map(([name, pattern]) => ({ dimension: names.indexOf(name), matches: compilePattern(pattern) }));
    const candidate = { index, conditions };
    if (first === undefined) {
      others.push(candidate);
      return;
    }
    const dimension = names.indexOf(first[0]);
    const byValue = exact.get(dimension) ?? new Map<string, Candidate[]>();
    exact.set(dimension, byValue);
    const candidates = byValue.get(first[1]);
    if (candidates === undefined) byValue.set(first[1], [candidate]);
    else candidates.push(candidate);
  });
  const tables: Exact[] = [...exact].map(([dimension, byValue]) => ({ dimension, byValue }));
  return (values) => {
    let found = firstOf(others, values, Number.POSITIVE_INFINITY);
    for (const { dimension, byValue } of tables) {
      const candidates = byValue.get(values[dimension] ?? "");
      if (candidates !== undefined) found = firstOf(candidates, values, found);
    }
    return found === Number.POSITIVE_INFINITY ? -1 : found;
  };
}

/** The lowest index below `below` of those that match, else `below`. */
function firstOf(candidates: readonly Candidate[], values: readonly string[], below: number): number {
  for (const { index, conditions } of candidates) {
    if (index >= below) return below;
    if (conditions.every(({ dimension, matches }) => matches(values[dimension] ?? ""))) return index;
  }
  return below;
}

/** Whether a pattern means one value. The parser lets a star stand at the beginning or the end only. */
function isExact(pattern: string): boolean {
  return !pattern.startsWith("*") && !pattern.endsWith("*");
}

function compilePattern(pattern: string): (value: string) => boolean {
  if (isExact(pattern)) return (value) => value === pattern;
  if (pattern.startsWith("*")) {
    const suffix = pattern.slice(1);
    return (value) => value.endsWith(suffix);
  }
  const prefix = pattern.slice(0, -1);
  return (value) => value.startsWith(prefix);
}
