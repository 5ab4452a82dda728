import { type JsonObject, type JsonValue, member, toBytes } from "../attributes/index.js";
import { any, type Predicate } from "./logic.js";
import type { MetadataMatcher, ValueMatcher } from "./model.js";
import { compileString } from "./string.js";

/** `envoy.type.matcher.v3.ValueMatcher` on a JSON value; undefined is a value that is not there. */
export function compileValue(matcher: ValueMatcher): Predicate<JsonValue | undefined> {
  if ("stringMatch" in matcher) {
    const matches = compileString(matcher.stringMatch);
    return (value) => typeof value === "string" && matches(toBytes(value));
  }
  if ("listMatch" in matcher) {
    const matches = compileValue(matcher.listMatch.oneOf);
    return (value) => Array.isArray(value) && value.some(matches);
  }
  if ("orMatch" in matcher) return any(matcher.orMatch.valueMatchers.map(compileValue));
  if ("boolMatch" in matcher) return (value) => value === matcher.boolMatch;
  if ("nullMatch" in matcher) return (value) => value === null;
  if ("presentMatch" in matcher) return (value) => value !== undefined && matcher.presentMatch;
  const double = matcher.doubleMatch;
  if ("exact" in double) return (value) => value === double.exact;
  const { start, end } = double.range;
  return (value) => typeof value === "number" && value >= start && value < end;
}

/** A value deep in an object: what `path` leads to, if all on the way are objects. */
export function compileMetadata(matcher: MetadataMatcher): Predicate<JsonObject | undefined> {
  const keys = matcher.path.map((segment) => segment.key);
  const matches = compileValue(matcher.value);
  const inverted = matcher.invert === true;
  return (metadata) => {
    let value: JsonValue | undefined = metadata;
    for (const key of keys) value = member(value, key);
    return matches(value) !== inverted;
  };
}
