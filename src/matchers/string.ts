import { type ByteString, lowerAscii, toBytes } from "../attributes/index.js";
import type { Predicate } from "./logic.js";
import type { StringMatcher } from "./model.js";
import { compileRegex } from "./regex.js";

/**
 * `envoy.type.matcher.v3.StringMatcher` as a predicate on bytes. `ignoreCase` folds A to Z only and has no effect on
 * a regex, as in Envoy. Throws when a regex is not RE2.
 */
export function compileString(matcher: StringMatcher): Predicate<ByteString> {
  if ("safeRegex" in matcher) return compileRegex(matcher.safeRegex.regex);
  const fold = matcher.ignoreCase === true;
  const read = (text: string): ByteString => (fold ? lowerAscii(toBytes(text)) : toBytes(text));
  const folded = (test: Predicate<ByteString>): Predicate<ByteString> =>
    fold ? (value) => test(lowerAscii(value)) : test;
  if ("exact" in matcher) {
    const exact = read(matcher.exact);
    return folded((value) => value === exact);
  }
  if ("prefix" in matcher) {
    const prefix = read(matcher.prefix);
    return folded((value) => value.startsWith(prefix));
  }
  if ("suffix" in matcher) {
    const suffix = read(matcher.suffix);
    return folded((value) => value.endsWith(suffix));
  }
  const part = read(matcher.contains);
  return folded((value) => value.includes(part));
}
