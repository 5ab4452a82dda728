import { RE2JS } from "re2js";
import { type ByteString, toText } from "../attributes/index.js";
import { any, type Predicate } from "./logic.js";

/**
 * A regular expression in RE2 syntax that must match the whole value, as Envoy's `safe_regex`. Linear in the value.
 * Throws when RE2 would not accept it.
 *
 * Expressions that are only literals, `.*`, `.+`, `(X|)` and `(X)?`, which is what Istio's translation makes, are
 * matched without a regex engine.
 */
export function compileRegex(regex: string): Predicate<ByteString> {
  const globs = expandGroups(regex)?.map(parseGlob);
  if (globs === undefined || globs.includes(undefined)) return compileGeneral(regex);
  const simple = any((globs as Glob[]).map(compileGlob));
  let general: Predicate<ByteString> | undefined;
  return (value) => {
    if (isPlain(value)) return simple(value);
    general ??= compileGeneral(regex);
    return general(value);
  };
}

function compileGeneral(regex: string): Predicate<ByteString> {
  const compiled = RE2JS.compile(regex);
  return (value) => compiled.matches(toText(value));
}

/** Text in which every character is one that `.` matches. */
const plain = /^[\x20-\x7e]*$/;

function isPlain(value: string): boolean {
  return plain.test(value);
}

/** Literals with wildcards between them: `gaps[i]` is the least length between literal i and i + 1. */
interface Glob {
  readonly literals: readonly string[];
  readonly gaps: readonly number[];
}

/** The alternatives of a regex whose only groups are `(X|)` and `(X)?`; undefined for any other group. */
function expandGroups(regex: string): string[] | undefined {
  const open = /(?<!\\)\(([^()|\\[]*)(\|\)|\)\?)/.exec(regex);
  if (open === null) return [regex];
  const before = regex.slice(0, open.index);
  const after = regex.slice(open.index + open[0].length);
  const expanded = [open[1] ?? "", ""].map((inner) => expandGroups(before + inner + after));
  const [full, empty] = expanded;
  if (full === undefined || empty === undefined || full.length + empty.length > 16) return undefined;
  return [...full, ...empty];
}

function parseGlob(regex: string): Glob | undefined {
  const literals = [""];
  const gaps: number[] = [];
  for (let i = 0; i < regex.length; i++) {
    const c = regex.charAt(i);
    const next = regex.charAt(i + 1);
    if (c === "." && (next === "*" || next === "+")) {
      const least = next === "+" ? 1 : 0;
      if (literals.at(-1) === "" && gaps.length > 0) gaps[gaps.length - 1] = (gaps.at(-1) ?? 0) + least;
      else {
        gaps.push(least);
        literals.push("");
      }
      i++;
      if (regex.charAt(i + 1) === "?" || regex.charAt(i + 1) === "+" || regex.charAt(i + 1) === "*")
        return undefined;
    } else if (c === "\\" && /[!-/:-@[-`{-~]/.test(next)) {
      literals[literals.length - 1] += next;
      i++;
      if ("*+?{".includes(regex.charAt(i + 1)) && regex.charAt(i + 1) !== "") return undefined;
    } else if (".^$*+?()[]{}|\\".includes(c) || !isPlain(c) || ("*+?{".includes(next) && next !== "")) {
      return undefined;
    } else {
      literals[literals.length - 1] += c;
    }
  }
  return { literals, gaps };
}

function compileGlob({ literals, gaps }: Glob): Predicate<string> {
  const first = literals[0] ?? "";
  const last = literals.at(-1) ?? "";
  if (gaps.length === 0) return (value) => value === first;
  const lastGap = gaps.at(-1) ?? 0;
  return (value) => {
    if (!value.startsWith(first)) return false;
    let at = first.length;
    for (let i = 1; i < literals.length - 1; i++) {
      const literal = literals[i] ?? "";
      const found = value.indexOf(literal, at + (gaps[i - 1] ?? 0));
      if (found < 0) return false;
      at = found + literal.length;
    }
    return value.length - last.length >= at + lastGap && value.endsWith(last);
  };
}
