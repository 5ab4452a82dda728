/**
 * Letters' cases and properties as Go's package unicode has them: one code point at a time. Characters that
 * newer versions of Unicode added are known as far as the JavaScript engine knows them.
 */

/** Letters whose other case is longer than one character, or newer than Go's tables. */
const upperExceptions: ReadonlyMap<string, string> = new Map([
  ..."\u1f80\u1f90\u1fa0"
    .split("")
    .flatMap((first) => Array.from({ length: 8 }, (_, i) => first.charCodeAt(0) + i))
    .map((code): [string, string] => [String.fromCharCode(code), String.fromCharCode(code + 8)]),
  ["\u1fb3", "\u1fbc"],
  ["\u1fc3", "\u1fcc"],
  ["\u1ff3", "\u1ffc"],
  ["\u019b", "\u019b"],
  ["\u0264", "\u0264"],
]);

/** Go's strings.ToUpper. */
export function upperCase(text: string): string {
  return isAscii(text) ? text.toUpperCase() : mapped(text, upper);
}

/** Go's strings.ToLower. */
export function lowerCase(text: string): string {
  return isAscii(text) ? text.toLowerCase() : mapped(text, lower);
}

function mapped(text: string, map: (char: string) => string): string {
  let result = "";
  for (const char of text) result += map(char);
  return result;
}

function upper(char: string): string {
  return upperExceptions.get(char) ?? single(char.toUpperCase(), char);
}

function lower(char: string): string {
  return char === "\u0130" ? "i" : single(char.toLowerCase(), char);
}

/** The mapping, where it is one code point. */
function single(mapping: string, char: string): string {
  const code = mapping.codePointAt(0) ?? 0;
  return mapping.length === (code > 0xffff ? 2 : 1) ? mapping : char;
}

/** Whether there is nothing beyond U+007F. */
export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

const spaces = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/** Go's unicode.IsSpace. */
export function isSpace(char: string): boolean {
  return spaces.test(char);
}

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Go's strconv.IsPrint: of all spaces only U+0020 is. */
export function isPrintable(char: string): boolean {
  return printable.test(char);
}

const wordCharacter = /^[\p{L}\p{Nd}_]$/u;

/** A letter, a decimal digit or `_`: what a name in a template is made of. */
export function isWordCharacter(char: string): boolean {
  return wordCharacter.test(char);
}
