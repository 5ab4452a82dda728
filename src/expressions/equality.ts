import { type Budget, spend, spendText } from "./budget.js";
import { ExpressionError } from "./expression-error.js";
import { entryOf, hasEntry, keysOfMap, kindOf, sizeOfMap, type Value } from "./value.js";

const maxLevels = 64;
const tooDeep = new ExpressionError("compares values that are nested too deeply");

/**
 * Whether two values are equal: numbers by what they mean, lists and maps by their parts, other kinds never.
 */
export function isEqual(a: Value, b: Value, budget: Budget, level = 0): boolean {
  if (typeof a === "string" || typeof b === "string") {
    if (typeof a !== "string" || typeof b !== "string" || a.length !== b.length) return false;
    spendText(budget, a.length);
    return a === b;
  }
  const kind = kindOf(a);
  const other = kindOf(b);
  // biome-ignore lint/suspicious/noDoubleEquals: only so are a bigint and a number equal by what they mean
  if ((kind === "int" || kind === "double") && (other === "int" || other === "double")) return a == b;
  if (kind !== other) return false;
  if (level > maxLevels) throw tooDeep;
  if (kind === "list") return isSameList(a as readonly Value[], b as readonly Value[], budget, level);
  if (kind === "map") return isSameMap(a, b, budget, level);
  return kind === "timestamp" ? (a as Date).getTime() === (b as Date).getTime() : a === b;
}

function isSameList(a: readonly Value[], b: readonly Value[], budget: Budget, level: number): boolean {
  if (a.length !== b.length) return false;
  for (const [i, item] of a.entries()) {
    spend(budget, 4);
    if (!isEqual(item, b[i] as Value, budget, level + 1)) return false;
  }
  return true;
}

function isSameMap(a: Value, b: Value, budget: Budget, level: number): boolean {
  const size = sizeOfMap(a, budget);
  spend(budget, size);
  if (size !== sizeOfMap(b, budget)) return false;
  for (const key of keysOfMap(a, budget)) {
    spend(budget, 8);
    if (!hasEntry(b, key, budget)) return false;
    const [left = null, right = null] = [entryOf(a, key, budget), entryOf(b, key, budget)];
    if (!isEqual(left, right, budget, level + 1)) return false;
  }
  return true;
}

/** Whether a list has an element that is equal. */
export function isElement(value: Value, list: readonly Value[], budget: Budget): boolean {
  for (const item of list) {
    spend(budget, 2);
    if (isEqual(value, item, budget)) return true;
  }
  return false;
}
