import { stringAt } from "./arguments.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { bytesOf } from "./bytes.js";
import { globsMatch } from "./globs-match.js";
import { intAt } from "./go-integer.js";
import { isWordCharacter } from "./go-unicode.js";
import { LimitError } from "./limit.js";
import { patternOf } from "./regex-pattern.js";
import type { Value } from "./value.js";

/** Regular expressions (v1/topdown/regex.go), of RE2's syntax. */
export const regex: Builtins = {
  "regex.find_all_string_submatch_n": (args) => {
    const text = stringAt(args, 1);
    return matchesOf(args).map((places) => groupsOf(text, places));
  },
  "regex.find_n": (args) => {
    const text = stringAt(args, 1);
    return matchesOf(args).map(([start, end]) => text.slice(start, end));
  },
  "regex.globs_match": (args) => globsMatch(stringAt(args, 0), stringAt(args, 1)),
  "regex.is_valid": ([value = null]) => typeof value === "string" && isValid(value),
  "regex.match": match,
  re_match: match,
  "regex.replace": replace,
  "regex.split": split,
  "regex.template_match": templateMatch,
};

function match(args: readonly Value[]): boolean {
  const [pattern, text] = [stringAt(args, 0), stringAt(args, 1)];
  return patternOf(pattern).matches(text);
}

function isValid(pattern: string): boolean {
  try {
    patternOf(pattern);
    return true;
  } catch (error) {
    if (error instanceof BuiltinError && !(error instanceof LimitError)) return false;
    throw error;
  }
}

function matchesOf(args: readonly Value[]): readonly (readonly number[])[] {
  const [pattern, text, limit] = [stringAt(args, 0), stringAt(args, 1), intAt(args, 2)];
  return patternOf(pattern).findAll(text, limit < 0n ? -1 : Number(limit));
}

/** The text of each group; empty for such as took no part. */
function groupsOf(text: string, places: readonly number[]): readonly string[] {
  return Array.from({ length: places.length / 2 }, (_, i) => groupOf(text, places, i) ?? "");
}

function groupOf(text: string, places: readonly number[], group: number): string | undefined {
  const [start = -1, end = -1] = places.slice(2 * group, 2 * group + 2);
  return start < 0 ? undefined : text.slice(start, end);
}

/** Go's Split without a limit. */
function split(args: readonly Value[]): Value {
  const [pattern, text] = [stringAt(args, 0), stringAt(args, 1)];
  const compiled = patternOf(pattern);
  if (pattern !== "" && text === "") return [""];
  const parts: string[] = [];
  let [from, last] = [0, 0];
  for (const [start = 0, end = 0] of compiled.findAll(text, -1)) {
    last = start;
    if (end !== 0) parts.push(text.slice(from, start));
    from = end;
  }
  if (last !== text.length) parts.push(text.slice(from));
  return parts;
}

/** Characters of a result beyond which it is refused. */
const maxLength = 1 << 20;

/** Go's ReplaceAllString. */
function replace(args: readonly Value[]): string {
  const [text, pattern, replacement] = [stringAt(args, 0), stringAt(args, 1), stringAt(args, 2)];
  const { findAll, groupNames } = patternOf(pattern);
  const template = templateOf(replacement, groupNames);
  let [result, from] = ["", 0];
  for (const places of findAll(text, -1)) {
    const [start = 0, end = 0] = places;
    result += text.slice(from, start);
    for (const part of template) result += typeof part === "string" ? part : groupText(text, places, part);
    if (result.length > maxLength) throw new LimitError(`text of more than ${maxLength} characters`);
    from = end;
  }
  return result + text.slice(from);
}

/** Of groups with the same name the first that took part counts. */
function groupText(text: string, places: readonly number[], groups: readonly number[]): string {
  for (const group of groups) {
    const found = groupOf(text, places, group);
    if (found !== undefined) return found;
  }
  return "";
}

/** Literal texts, and groups that stand for a `$name`; none for names that there are not. */
type Template = readonly (string | readonly number[])[];

function templateOf(text: string, names: readonly string[]): Template {
  const parts: (string | readonly number[])[] = [];
  let at = 0;
  for (;;) {
    const dollar = text.indexOf("$", at);
    parts.push(text.slice(at, dollar < 0 ? undefined : dollar));
    if (dollar < 0) return parts;
    const name = nameAt(text, dollar + 1);
    if (text.charAt(dollar + 1) === "$" || name === undefined) {
      parts.push("$");
      at = dollar + (name === undefined && text.charAt(dollar + 1) !== "$" ? 1 : 2);
    } else {
      parts.push(groupsNamed(name.text, names));
      at = name.end;
    }
  }
}

/** `name` or `{name}`, the longest there is. */
function nameAt(text: string, at: number): { readonly text: string; readonly end: number } | undefined {
  const isBraced = text.charAt(at) === "{";
  const start = isBraced ? at + 1 : at;
  let end = start;
  for (const char of text.slice(start, start + 1000)) {
    if (!isWordCharacter(char)) break;
    end += char.length;
  }
  if (end === start || (isBraced && text.charAt(end) !== "}")) return undefined;
  return { text: text.slice(start, end), end: isBraced ? end + 1 : end };
}

function groupsNamed(name: string, names: readonly string[]): readonly number[] {
  if (/^(?:0|[1-9]\d{0,7})$/.test(name)) return [Number(name)];
  return names.flatMap((it, i) => (it === name ? [i] : []));
}

/** Literal text with patterns between delimiters of one byte, as in `urn:foo:{.*}`. */
function templateMatch(args: readonly Value[]): boolean {
  const [template, text, open, close] = [0, 1, 2, 3].map((index) => stringAt(args, index));
  const delimiters = [open ?? "", close ?? ""];
  if (delimiters.some((it) => bytesOf(it).length !== 1)) {
    throw new BuiltinError("delimiters have to be exactly one character long");
  }
  return patternOf(templatePattern(template ?? "", open ?? "", close ?? "")).matches(text ?? "");
}

function templatePattern(template: string, open: string, close: string): string {
  let [pattern, level, from, start] = ["^", 0, 0, 0];
  for (let i = 0; i < template.length; i++) {
    const char = template.charAt(i);
    if (char === open) {
      level++;
      if (level === 1) start = i;
    } else if (char === close) {
      level--;
      if (level < 0) throw new BuiltinError("unbalanced braces");
      if (level > 0) continue;
      const inside = template.slice(start + 1, i);
      patternOf(`^${inside}$`);
      pattern += `${quoteMeta(template.slice(from, start))}(${inside})`;
      from = i + 1;
    }
  }
  if (level !== 0) throw new BuiltinError("unbalanced braces");
  return `${pattern}${quoteMeta(template.slice(from))}$`;
}

function quoteMeta(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&");
}
