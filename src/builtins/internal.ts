import type { Builtins } from "./builtin.js";
import { integerOf } from "./number.js";
import { compareValues, get, has, isArray, isNumber, isObject, isSet, type Value } from "./value.js";

/** What the compiler makes of `x in y` and `k, v in y` (v1/topdown/aggregates.go). */
export const internal: Builtins = {
  "internal.member_2": ([member = null, collection = null]) => {
    if (isSet(collection)) return has(collection, member);
    const values = isArray(collection) ? collection : isObject(collection) ? [...collection.values()] : [];
    return values.some((value) => compareValues(value, member) === 0);
  },
  "internal.member_3": ([key = null, value = null, collection = null]) => {
    const found = childOf(collection, key);
    return found !== undefined && compareValues(found, value) === 0;
  },
};

function childOf(collection: Value, key: Value): Value | undefined {
  if (isSet(collection)) return has(collection, key) ? key : undefined;
  if (isObject(collection)) return get(collection, key);
  return isArray(collection) && isNumber(key) ? collection[Number(integerOf(key) ?? -1n)] : undefined;
}
