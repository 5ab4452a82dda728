import { BuiltinError, type Builtins } from "./builtin.js";
import { identity } from "./identity.js";
import { get, isArray, isObject, isSet, type RegoObject, type RegoSet, type Value } from "./value.js";

/** `object.subset` (v1/topdown/subset.go): objects deeply, sets and arrays by whole members. */
export const subset: Builtins = {
  "object.subset": ([all = null, part = null]) => {
    const result = contains(all, part);
    if (result !== undefined) return result;
    if (isArray(all) && isSet(part)) return arrayHoldsSet(all, part);
    throw new BuiltinError("both arguments object.subset must be of the same type or array and set");
  },
};

/** undefined when the two are no collections of the same type. */
function contains(all: Value, part: Value): boolean | undefined {
  if (isObject(all) && isObject(part)) return objectHolds(all, part);
  if (isSet(all) && isSet(part)) {
    const members = new Set([...all].map(identity));
    return [...part].every((member) => members.has(identity(member)));
  }
  if (isArray(all) && isArray(part)) return arrayHolds(all.map(identity), part.map(identity));
  return undefined;
}

function objectHolds(all: RegoObject, part: RegoObject): boolean {
  for (const [key, value] of part) {
    const found = get(all, key);
    if (found === undefined) return false;
    if (!(contains(found, value) ?? identity(found) === identity(value))) return false;
  }
  return true;
}

/**
 * Whether `part` stands in `all` as a run. As OPA searches: after a mismatch it goes on one element after where the
 * attempt began; with the table of Knuth, Morris and Pratt that takes no longer than both are long.
 */
function arrayHolds(all: readonly string[], part: readonly string[]): boolean {
  if (part.length > all.length) return false;
  const fallbacks = [0];
  for (let i = 1, matched = 0; i < part.length; i++) {
    while (matched > 0 && part[i] !== part[matched]) matched = fallbacks[matched - 1] ?? 0;
    if (part[i] === part[matched]) matched++;
    fallbacks.push(matched);
  }
  let matched = 0;
  if (part.length === 0) return true;
  for (const item of all) {
    while (matched > 0 && item !== part[matched]) matched = fallbacks[matched - 1] ?? 0;
    if (item === part[matched]) matched++;
    if (matched === part.length) return true;
  }
  return false;
}

/** As OPA counts: repeated members of the array count again, and the empty set is in no empty array. */
function arrayHoldsSet(all: readonly Value[], part: RegoSet): boolean {
  const members = new Set([...part].map(identity));
  let missing = members.size;
  for (const item of all) {
    if (members.has(identity(item))) missing--;
    if (missing === 0) return true;
  }
  return false;
}
