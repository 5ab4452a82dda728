import type { ByteString } from "../attributes/index.js";
import type { Predicate } from "./logic.js";
import type { HeaderMatcher } from "./model.js";
import { compileString } from "./string.js";

type Headers = ReadonlyMap<string, readonly ByteString[]>;

/**
 * `envoy.config.route.v3.HeaderMatcher` as Envoy 1.40's RBAC filter applies it: each line of the header is
 * matched by itself, one that matches is enough, and `invertMatch` turns that result round: no line may
 * match. A header that is not there fails either way, unless it is treated as empty. `name` is compared in
 * lower case; `host` means `:authority`.
 */
export function compileHeader(matcher: HeaderMatcher): Predicate<Headers> {
  const lower = matcher.name.toLowerCase();
  const name = lower === "host" ? ":authority" : lower;
  const inverted = matcher.invertMatch === true;
  const asEmpty = matcher.treatMissingHeaderAsEmpty === true;
  const matches = compileLine(matcher);
  if (matches === undefined) {
    const wanted = (matcher.presentMatch ?? true) !== inverted;
    return (headers) => (asEmpty || headers.has(name)) === wanted;
  }
  const whenMissing = asEmpty && matches("") !== inverted;
  return (headers) => {
    const lines = headers.get(name);
    return lines === undefined ? whenMissing : lines.some(matches) !== inverted;
  };
}

/** What one line must be; undefined when only presence is asked. */
function compileLine(matcher: HeaderMatcher): Predicate<ByteString> | undefined {
  if (matcher.stringMatch !== undefined) return compileString(matcher.stringMatch);
  if (matcher.rangeMatch === undefined) return undefined;
  const { start, end } = matcher.rangeMatch;
  return (line) => {
    if (!/^[+-]?[0-9]+$/.test(line)) return false;
    const value = Number(line);
    return value >= start && value < end;
  };
}
