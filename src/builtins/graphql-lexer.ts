import { BuiltinError } from "./builtin.js";
import { LimitError } from "./limit.js";

/** A token of GraphQL, as gqlparser reads it: with the text of names, numbers and comments, and what strings say. */
export interface Token {
  readonly kind: "name" | "int" | "float" | "string" | "block" | "comment" | "end" | Punctuator;
  readonly value: string;
}

/** What stands for itself. */
export type Punctuator = "!" | "$" | "&" | "(" | ")" | "..." | ":" | "=" | "@" | "[" | "]" | "{" | "}" | "|";

const skipped = /[\t ,\n\r\ufeff]*/y;
const simple =
  /(\.\.\.|[!$&():=@[\]{}|])|([_A-Za-z][_0-9A-Za-z]*)|(-?(?:0(?!\d)|[1-9]\d*)(?:(\.\d+)?(?:[eE][+-]?\d+)?))|(#[\t\u0020-\uffff]*)/y;
const stringSyntax = /"((?:[^"\\\n\r]|\\(?:u[\da-fA-F]{4}|["\\/bfnrt]))*)"/y;

/** The tokens of a text, `end` last; throws a BuiltinError for what is none, and when there are more. */
export function tokensOf(text: string, maxTokens: number): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    skipped.lastIndex = at;
    at += skipped.exec(text)?.[0].length ?? 0;
    if (tokens.length >= maxTokens) throw new LimitError("graphql text is too long");
    if (at >= text.length) {
      tokens.push({ kind: "end", value: "" });
      return tokens;
    }
    const [token, end] = text.charAt(at) === '"' ? readString(text, at) : readSimple(text, at);
    tokens.push(token);
    at = end;
  }
}

function readSimple(text: string, at: number): readonly [Token, number] {
  simple.lastIndex = at;
  const found = simple.exec(text);
  if (found === null) throw new BuiltinError("unexpected character in graphql text");
  const [value, punctuator, name, number, fraction, comment] = found;
  const end = at + value.length;
  if (punctuator !== undefined) return [{ kind: punctuator as Punctuator, value: "" }, end];
  if (name !== undefined) return [{ kind: "name", value }, end];
  if (comment !== undefined) return [{ kind: "comment", value }, end];
  // `1.` and `1e` are no numbers; what follows one is a token of its own.
  const rest = text.charAt(end);
  if (
    (rest === "." && fraction === undefined && !/[eE]/.test(value)) ||
    (/[eE]/.test(rest) && !/[eE]/.test(value))
  ) {
    throw new BuiltinError("invalid number in graphql text");
  }
  return [{ kind: number !== undefined && /[.eE]/.test(value) ? "float" : "int", value }, end];
}

function readString(text: string, at: number): readonly [Token, number] {
  if (text.startsWith('"""', at)) return readBlock(text, at);
  stringSyntax.lastIndex = at;
  const found = stringSyntax.exec(text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: which may not stand in a string
  if (found === null || /[\0-\x08\x0b-\x1f]/.test(found[1] ?? "")) {
    throw new BuiltinError("unterminated string in graphql text");
  }
  const [whole, inner = ""] = found;
  return [{ kind: "string", value: inner.replace(/\\(?:u(.{4})|(.))/gs, unescaped) }, at + whole.length];
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

/** Each escape is a character of its own: halves of a pair become U+FFFD, as in Go. */
function unescaped(_: string, hex: string | undefined, char: string | undefined): string {
  if (hex === undefined) return escapes.get(char ?? "") ?? char ?? "";
  const code = Number.parseInt(hex, 16);
  return code >= 0xd800 && code <= 0xdfff ? "\ufffd" : String.fromCharCode(code);
}

function readBlock(text: string, at: number): readonly [Token, number] {
  let raw = "";
  for (let i = at + 3; i < text.length; ) {
    const char = text.charAt(i);
    if (char === '"') {
      let quotes = 1;
      while (text.charAt(i + quotes) === '"') quotes++;
      if (quotes >= 3) {
        return [{ kind: "block", value: dedented(raw + '"'.repeat(quotes - 3)) }, i + quotes];
      }
    }
    if (char === "\\" && text.startsWith('\\"""', i)) {
      raw += '"""';
      i += 4;
    } else if (char === "\r") {
      raw += "\n";
      i += text.charAt(i + 1) === "\n" ? 2 : 1;
    } else {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: which may not stand in a string
      if (/[\0-\x08\x0b\x0c\x0e-\x1f]/.test(char)) break;
      raw += char;
      i++;
    }
  }
  throw new BuiltinError("unterminated string in graphql text");
}

/** The BlockStringValue of GraphQL's specification, but the first line's indentation counts too, as in gqlparser. */
function dedented(raw: string): string {
  const lines = raw.split("\n");
  const indents = lines.map((line) => /[^ \t]/.exec(line)?.index ?? Number.POSITIVE_INFINITY);
  const common = Math.min(...indents.filter((indent, i) => indent < Buffer.byteLength(lines[i] ?? "")));
  const cut = lines.map((line, i) =>
    i === 0 || common === Number.POSITIVE_INFINITY ? line : line.slice(common),
  );
  const blank = (line: string | undefined): boolean => line !== undefined && /^[ \t]*$/.test(line);
  let [start, end] = [0, cut.length];
  while (start < end && blank(cut[start])) start++;
  while (start < end && blank(cut[end - 1])) end--;
  return cut.slice(start, end).join("\n");
}
