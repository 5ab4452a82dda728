import { codes, show } from "../diagnostics/index.js";
import type { PolicyFacts } from "./facts.js";
import { isSet, type Tell } from "./tell.js";
import { at, isOn, items, placeOf, type Tree, text } from "./tree.js";

/** `allowed_headers` and `disallowed_headers` of the message at `config`, which keep headers back. */
export function checkHiddenHeaders(
  config: Tree,
  name: string,
  facts: PolicyFacts | undefined,
  tell: Tell,
  needed: readonly string[] = [],
): void {
  const lists = ["allowed_headers", "disallowed_headers"].filter((list) => isSet(config, list));
  const [first] = lists;
  if (first === undefined) return;
  const place = placeOf(config, first);
  const hidden = [...needed, ...(facts?.readsHeaders ?? [])].filter((header) => isHidden(config, header));
  if (hidden.length > 0) {
    const message = `\`${name}\` hides ${hidden.slice(0, 5).map(show).join(", ")}, which policies read`;
    tell(codes.doctorHiddenHeader, place, message);
  } else if (facts === undefined || facts.readsAnyHeader) {
    tell(codes.doctorNarrowHeaders, place, `\`${name}\` does not send all headers, expected no \`${first}\``);
  }
}

function isHidden(config: Tree, header: string): boolean {
  const allowed = at(config, "allowed_headers");
  if (allowed !== undefined && !items(allowed, "patterns").some((one) => matches(one, header))) return true;
  return items(config, "disallowed_headers", "patterns").some((one) => matches(one, header));
}

/** A StringMatcher. */
function matches(matcher: Tree, header: string): boolean {
  const fold = (value: string): string => (isOn(matcher, "ignore_case") ? value.toLowerCase() : value);
  const way = (field: string, test: (pattern: string) => boolean): boolean => {
    const pattern = text(matcher, field);
    return pattern !== undefined && test(fold(pattern));
  };
  const regex = text(matcher, "safe_regex", "regex");
  return (
    way("exact", (pattern) => header === pattern) ||
    way("prefix", (pattern) => header.startsWith(pattern)) ||
    way("suffix", (pattern) => header.endsWith(pattern)) ||
    way("contains", (pattern) => header.includes(pattern)) ||
    (regex !== undefined && matchesWhole(regex, header))
  );
}

/**
 * A regular expression of somebody else's is not tried, as it may backtrack for ever: plain alternatives of
 * names are read, all else counts as a match of nothing.
 */
export function matchesWhole(regex: string, header: string): boolean {
  if (regex === ".*" || regex === ".+") return true;
  if (!/^[\w:|()\\.*-]{1,500}$/.test(regex)) return false;
  const names = regex.replace(/^\((?:\?:)?(.*)\)$/, "$1").split("|");
  return names.some((name) => {
    const plain = name.replaceAll("\\.", ".").replaceAll("\\-", "-");
    return plain.endsWith(".*") ? header.startsWith(plain.slice(0, -2)) : plain === header;
  });
}
