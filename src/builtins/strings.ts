import { objectAt, stringAt, stringsAt } from "./arguments.js";
import { type Builtin, BuiltinError, type Builtins } from "./builtin.js";
import { intAt } from "./go-integer.js";
import { isAscii, isSpace, lowerCase, upperCase } from "./go-unicode.js";
import { LimitError } from "./limit.js";
import { integer } from "./number.js";
import { replaced } from "./replacer.js";
import type { Value } from "./value.js";

/** Texts (v1/topdown/strings.go); characters are Unicode's code points. */
export const strings: Builtins = {
  concat: (args) => {
    const [delimiter, parts] = [stringAt(args, 0), stringsAt(args, 1)];
    const length = parts.reduce((sum, part) => sum + part.length, delimiter.length * parts.length);
    if (length > maxLength) throw new LimitError(`text of more than ${maxLength} characters`);
    return parts.join(delimiter);
  },
  contains: test((text, part) => text.includes(part)),
  endswith: test((text, part) => text.endsWith(part)),
  indexof,
  indexof_n: indexofAll,
  lower: (args) => lowerCase(stringAt(args, 0)),
  replace: (args) => replaced(stringAt(args, 0), [[stringAt(args, 1), stringAt(args, 2)]]),
  split: (args) => splitAt(stringAt(args, 0), stringAt(args, 1)),
  startswith: test((text, part) => text.startsWith(part)),
  "strings.any_prefix_match": affix((text, part) => text.startsWith(part)),
  "strings.any_suffix_match": affix((text, part) => text.endsWith(part)),
  "strings.count": count,
  "strings.replace_n": replaceAll,
  "strings.reverse": (args) => Array.from(stringAt(args, 0)).reverse().join(""),
  "strings.split_n": splitN,
  substring,
  trim: (args) => trimmed(args, true, true),
  trim_left: (args) => trimmed(args, true, false),
  trim_prefix: (args) => {
    const [text, prefix] = [stringAt(args, 0), stringAt(args, 1)];
    return text.startsWith(prefix) ? text.slice(prefix.length) : text;
  },
  trim_right: (args) => trimmed(args, false, true),
  trim_space: (args) => trimmedBy(stringAt(args, 0), isSpace, true, true),
  trim_suffix: (args) => {
    const [text, suffix] = [stringAt(args, 0), stringAt(args, 1)];
    return text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text;
  },
  upper: (args) => upperCase(stringAt(args, 0)),
};

function test(decide: (text: string, part: string) => boolean): Builtin {
  return (args) => decide(stringAt(args, 0), stringAt(args, 1));
}

/** Characters of a text that is made of others. */
const maxLength = 1 << 23;

/** Pairs of texts that are compared. */
const maxPairs = 2_000_000;

/** Each argument is a string, or an array or set of strings. */
function affix(decide: (text: string, part: string) => boolean): Builtin {
  return (args) => {
    const [texts = [], parts = []] = [0, 1].map((index) =>
      typeof args[index] === "string" ? [args[index]] : stringsAt(args, index),
    );
    if (texts.length * parts.length > maxPairs) throw new LimitError(`more than ${maxPairs} pairs of texts`);
    return texts.some((text) => parts.some((part) => decide(text, part)));
  };
}

function characters(text: string): number {
  if (isAscii(text)) return text.length;
  let length = 0;
  for (const _ of text) length++;
  return length;
}

function searched(args: readonly Value[]): readonly [string, string] {
  const [text, part] = [stringAt(args, 0), stringAt(args, 1)];
  if (part === "") throw new BuiltinError("empty search character");
  return [text, part];
}

function indexof(args: readonly Value[]): number {
  const [text, part] = searched(args);
  const found = text.indexOf(part);
  return found < 0 ? -1 : characters(text.slice(0, found));
}

/** Also such as overlap. */
function indexofAll(args: readonly Value[]): readonly number[] {
  const [text, part] = searched(args);
  const found: number[] = [];
  let [index, from] = [0, 0];
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) {
    index += characters(text.slice(from, at));
    from = at;
    found.push(index);
  }
  return found;
}

/** Without overlaps; the empty text is between all characters. */
function count(args: readonly Value[]): Value {
  const [text, part] = [stringAt(args, 0), stringAt(args, 1)];
  if (part === "") return characters(text) + 1;
  let found = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) found++;
  return integer(BigInt(found));
}

function splitAt(text: string, delimiter: string): readonly string[] {
  return delimiter === "" ? Array.from(text) : text.split(delimiter);
}

/** The first n parts, or the last −n. */
function splitN(args: readonly Value[]): readonly string[] {
  const [text, delimiter, n] = [stringAt(args, 0), stringAt(args, 1), intAt(args, 2)];
  const parts = splitAt(text, delimiter);
  return n >= 0n ? parts.slice(0, Number(n)) : parts.slice(Number(n));
}

/** The keys' order counts where several fit. */
function replaceAll(args: readonly Value[]): string {
  const pairs = [...objectAt(args, 0)].map(([old, by]): readonly [string, string] => {
    if (typeof old !== "string" || typeof by !== "string")
      throw new BuiltinError("non-string in pattern object");
    return [old, by];
  });
  return replaced(stringAt(args, 1), pairs);
}

/** To the end when the length is negative. */
function substring(args: readonly Value[]): string {
  const [text, start, length] = [stringAt(args, 0), intAt(args, 1), intAt(args, 2)];
  if (start < 0n) throw new BuiltinError("negative offset");
  const [from, end] = [Number(start), length < 0n ? undefined : Number(start + length)];
  return isAscii(text) ? text.slice(from, end) : Array.from(text).slice(from, end).join("");
}

function trimmed(args: readonly Value[], left: boolean, right: boolean): string {
  const [text, cut] = [stringAt(args, 0), new Set(stringAt(args, 1))];
  return trimmedBy(text, (char) => cut.has(char), left, right);
}

function trimmedBy(text: string, isCut: (char: string) => boolean, left: boolean, right: boolean): string {
  let [start, end] = [0, text.length];
  while (left && start < end) {
    const char = String.fromCodePoint(text.codePointAt(start) ?? 0);
    if (!isCut(char)) break;
    start += char.length;
  }
  while (right && start < end) {
    const pair = text.slice(end - 2, end);
    const char = end - start >= 2 && (pair.codePointAt(0) ?? 0) > 0xffff ? pair : text.charAt(end - 1);
    if (!isCut(char)) break;
    end -= char.length;
  }
  return text.slice(start, end);
}
