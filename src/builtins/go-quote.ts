import { isPrintable } from "./go-unicode.js";

const escapes: ReadonlyMap<string, string> = new Map([
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
]);

/** Go's strconv.Quote; with `ascii` its QuoteToASCII. */
export function quoted(text: string, ascii = false): string {
  let result = "";
  for (const char of text) result += escaped(char, '"', ascii);
  return `"${result}"`;
}

/** Go's strconv.QuoteRune; with `ascii` its QuoteRuneToASCII. */
export function quotedCharacter(char: string, ascii = false): string {
  return `'${escaped(char, "'", ascii)}'`;
}

function escaped(char: string, quote: string, ascii: boolean): string {
  if (char === quote || char === "\\") return `\\${char}`;
  const code = char.codePointAt(0) ?? 0;
  if (code >= 0x20 && code < 0x7f) return char;
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${hex(code - 0xdc00, 2)}`;
  if (!ascii && isPrintable(char)) return char;
  const short = escapes.get(char);
  if (short !== undefined) return short;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
}

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, "0");
}

/** Whether a text can stand between backquotes (strconv.CanBackquote). */
export function canBackquote(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return !/[\x00-\x08\x0a-\x1f\x7f`\ufeff]/.test(text);
}
