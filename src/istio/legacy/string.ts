import type { StringMatcher } from "../../matchers/index.js";
import { stringMatcher } from "../values.js";

/**
 * A legacy value as a matcher: as in v1, but `*` is any value, the empty one too; the value must only exist.
 */
export function legacyString(value: string): StringMatcher {
  return value === "*" ? { safeRegex: { regex: ".*" } } : stringMatcher(value);
}
