import { RE2JS } from "re2js";
import { type ByteString, toBytes } from "../attributes/index.js";
import { any, type Predicate } from "./logic.js";

/**
 * A regular expression in RE2 syntax that must match the whole value, as Envoy 1.40's `safe_regex`. Linear in
 * the value. Throws when Envoy would not load it.
 *
 * Envoy compiles with RE2's Latin-1 encoding: expression and value are bytes, `.` is one byte, and a
 * character beyond ASCII in the expression is the bytes of its UTF-8 form.
 *
 * Expressions that are only literals, `.*`, `.+`, `(X|)` and `(X)?`, which is what Istio's translation makes,
 * are matched without a regex engine.
 */
export function compileRegex(regex: string): Predicate<ByteString> {
  const bytes = toBytes(regex);
  const globs = expandGroups(bytes)?.map(parseGlob);
  if (globs === undefined || globs.includes(undefined)) return compileGeneral(bytes);
  const simple = any((globs as Glob[]).map(compileGlob));
  let general: Predicate<ByteString> | undefined;
  return (value) => {
    // A wildcard is any byte but a line feed.
    if (!value.includes("\n")) return simple(value);
    general ??= compileGeneral(bytes);
    return general(value);
  };
}

function compileGeneral(regex: ByteString): Predicate<ByteString> {
  const compiled = RE2JS.compile(inLatin1(regex));
  return (value) => compiled.matches(value);
}

/**
 * A literal passage, an escape with its argument, the start of a named group, a class name, or one character.
 */
const token = /\\Q.*?(?:\\E|$)|\(\?P?<\w+>|\\x\{([0-9A-Fa-f]*)\}|\\([0-7]{1,3})|\\.|\[:\^?\w+:\]|./gs;

/**
 * What RE2 does otherwise than RE2JS as Envoy uses it: `\C` is a byte like any other, no character is above
 * 0xff, and groups are not captured, so that a name may stand twice.
 */
function inLatin1(regex: ByteString): string {
  let inClass = false;
  let classStart = 0;
  return regex.replace(token, (text: string, hex?: string, octal?: string, at = 0) => {
    if (beyondLatin1(hex, 16) || beyondLatin1(octal, 8))
      throw new Error(`invalid escape sequence \`${text}\`, expected a character up to 0xff`);
    if (inClass) {
      // The first `]` of a class stands for itself.
      inClass = text !== "]" || at === classStart;
      return text;
    }
    inClass = text === "[";
    classStart = regex.charAt(at + 1) === "^" ? at + 2 : at + 1;
    if (text.startsWith("(?")) return "(?:";
    return text === "\\C" ? "(?s:.)" : text;
  });
}

function beyondLatin1(digits: string | undefined, base: number): boolean {
  return digits !== undefined && Number.parseInt(digits, base) > 0xff;
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
    } else if (".^$*+?()[]{}|\\".includes(c) || ("*+?{".includes(next) && next !== "")) {
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
