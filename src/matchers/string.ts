import { type ByteString, lowerAscii, toBytes } from "../attributes/index.js";
import type { Predicate } from "./logic.js";
import type { StringMatcher } from "./model.js";
import { compileRegex } from "./regex.js";

/**
 * `envoy.type.matcher.v3.StringMatcher` as a predicate on bytes. `ignoreCase` folds A to Z only. Throws for
 * what Envoy would not load: a regex that is not RE2, or one beside `ignoreCase`.
 */
export function compileString(matcher: StringMatcher): Predicate<ByteString> {
  const fold = matcher.ignoreCase === true;
  if ("safeRegex" in matcher) {
    if (fold) throw new Error("`ignoreCase` has no effect beside a regex, expected `(?i)` in the regex");
    return compileRegex(matcher.safeRegex.regex);
  }
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
