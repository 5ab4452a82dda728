import { BuiltinError } from "./builtin.js";
import { bytesOf, textOf } from "./bytes.js";
import { LimitError } from "./limit.js";

/** What an action of a template is made of. */
export type Token =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "end" }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "number"; readonly text: string }
  | { readonly kind: "character"; readonly code: number }
  | { readonly kind: "field" | "variable" | "word"; readonly text: string }
  | { readonly kind: "dot" | "space" }
  | { readonly kind: "mark"; readonly text: string };

const action = new RegExp(
  [
    "(?<space>[ \\t\\r\\n]+)",
    '(?<quoted>"(?:[^"\\\\\\n]|\\\\.)*")',
    "(?<raw>`[^`]*`)",
    "(?<character>'(?:[^'\\\\\\n]|\\\\[^\\n])+')",
    "(?<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+" +
      "|(?:\\d[\\d_]*\\.?[\\d_]*|\\.\\d[\\d_]*)(?:[eE][+-]?\\d+)?))",
    "(?<field>\\.[\\p{L}\\p{Nd}_]+)",
    "(?<variable>\\$[\\p{L}\\p{Nd}_]*)",
    "(?<word>[\\p{L}\\p{Nd}_]+)",
    "(?<dot>\\.)",
    "(?<mark>:=|[=|(),])",
  ].join("|"),
  "uy",
);

/** Characters that a template may have. */
const maxLength = 1 << 16;

/** The tokens of a template of Go's text/template: each action ends with an `end`. Throws a BuiltinError. */
export function templateTokens(template: string): readonly Token[] {
  if (template.length > maxLength) throw new LimitError(`template of more than ${maxLength} characters`);
  const tokens: Token[] = [];
  let at = 0;
  let trims = false;
  for (;;) {
    const open = template.indexOf("{{", at);
    let text = template.slice(at, open < 0 ? undefined : open);
    if (trims) text = text.replace(/^[ \t\r\n]+/, "");
    if (open >= 0 && /^-[ \t\r\n]/.test(template.slice(open + 2, open + 4)))
      text = text.replace(/[ \t\r\n]+$/, "");
    if (text !== "") tokens.push({ kind: "text", text });
    if (open < 0) return tokens;
    const start = /^-[ \t\r\n]/.test(template.slice(open + 2, open + 4)) ? open + 3 : open + 2;
    const end = commentEnd(template, start) ?? actionEnd(template, start, tokens);
    trims = end.trims;
    at = end.at;
  }
}

interface End {
  readonly at: number;
  /** Whether the spaces behind it go, as `-}}` has it. */
  readonly trims: boolean;
}

/** The end of a comment, when that is what the action is. */
function commentEnd(template: string, start: number): End | undefined {
  const open = /[ \t\r\n]?\/\*/y;
  open.lastIndex = start;
  if (open.exec(template)?.[0] === undefined) return undefined;
  const close = template.indexOf("*/", open.lastIndex);
  const end = close < 0 ? undefined : /^(?:[ \t\r\n]-)?\}\}/.exec(template.slice(close + 2, close + 6))?.[0];
  if (end === undefined) throw new BuiltinError("unclosed comment");
  return { at: close + 2 + end.length, trims: end.length > 2 };
}

function actionEnd(template: string, start: number, tokens: Token[]): End {
  let at = start;
  let depth = 0;
  for (;;) {
    const trims = /^[ \t\r\n]-\}\}/.test(template.slice(at, at + 4));
    if (trims || template.startsWith("}}", at)) {
      if (depth > 0) throw new BuiltinError("unclosed left paren");
      tokens.push({ kind: "end" });
      return { at: at + (trims ? 4 : 2), trims };
    }
    action.lastIndex = at;
    const found = action.exec(template);
    if (found === null) throw new BuiltinError(`unexpected text in an action at ${at}`);
    const token = tokenOf(found.groups ?? {});
    const space =
      token.kind === "space" ? /[ \t\r\n]-\}\}$/.exec(template.slice(at, action.lastIndex + 3)) : null;
    at = space === null ? action.lastIndex : action.lastIndex - 1;
    if (token.kind === "mark" && token.text === "(") depth++;
    if (token.kind === "mark" && token.text === ")" && --depth < 0)
      throw new BuiltinError("unexpected right paren");
    const needsEnd = token.kind === "field" || token.kind === "variable" || token.kind === "word";
    if (
      (needsEnd || token.kind === "number") &&
      !/^(?:[ \t\r\n.,|:)(]|$|\}\})/.test(template.slice(at, at + 2))
    ) {
      throw new BuiltinError(`unexpected text in an action at ${at}`);
    }
    tokens.push(token);
  }
}

function tokenOf(groups: Readonly<Record<string, string | undefined>>): Token {
  const { quoted, raw, character, number, field, variable, word, mark } = groups;
  if (quoted !== undefined) return { kind: "string", text: unquoted(quoted.slice(1, -1), '"') };
  if (raw !== undefined) return { kind: "string", text: raw.slice(1, -1).replaceAll("\r", "") };
  if (character !== undefined) return { kind: "character", code: codeOf(character.slice(1, -1)) };
  if (number !== undefined) return { kind: "number", text: number };
  if (field !== undefined) return { kind: "field", text: field.slice(1) };
  if (variable !== undefined) return { kind: "variable", text: variable };
  if (word !== undefined) return { kind: "word", text: word };
  if (mark !== undefined) return { kind: "mark", text: mark };
  return { kind: groups["dot"] === undefined ? "space" : "dot" };
}

function codeOf(text: string): number {
  const chars = Array.from(unquoted(text, "'"));
  if (chars.length !== 1) throw new BuiltinError("malformed character constant");
  return chars[0]?.codePointAt(0) ?? 0;
}

const short: ReadonlyMap<string, string> = new Map([
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
  ["\\", "\\"],
]);

/** What stands between the quotation marks of a string of Go. */
function unquoted(text: string, quote: string): string {
  const escapes = /\\(?:x([0-9a-fA-F]{2})|([0-3][0-7]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gsu;
  const read = text.replace(escapes, (_, hex, octal, four, eight, letter: string | undefined) => {
    if (hex !== undefined || octal !== undefined)
      return byteText(Number.parseInt(hex ?? octal, hex ? 16 : 8));
    if (letter !== undefined) {
      const char = letter === quote ? quote : short.get(letter);
      if (char === undefined) throw new BuiltinError("unknown escape sequence");
      return char;
    }
    const code = Number.parseInt(four ?? eight, 16);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
      throw new BuiltinError("unknown escape sequence");
    return String.fromCodePoint(code);
  });
  return textOf(bytesOf(read));
}

function byteText(byte: number): string {
  return String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte);
}
