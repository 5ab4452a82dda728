import {
  ahead,
  type Cursor,
  END,
  endsLine,
  isBlank,
  isBreak,
  isSpaceOrEnd,
  markOf,
  need,
  readBreak,
  readOne,
  skip,
  skipBlanks,
  skipComment,
  startsIndicator,
  YamlError,
} from "./cursor.js";

/** White space between two parts of a scalar: what it means depends on whether lines end in it. */
interface Gap {
  blanks: string;
  /** The first line break; undefined: all on one line. */
  first: string | undefined;
  more: string;
}

/** Reads a scalar without quotes. `endedLine`: white space behind it held a line break. */
export function readPlain(
  cursor: Cursor,
  indent: number,
  inFlow: boolean,
): { value: string; endedLine: boolean } {
  const start = markOf(cursor);
  const parts: string[] = [];
  let gap: Gap = { blanks: "", first: undefined, more: "" };
  while (true) {
    need(cursor, 4);
    if (startsIndicator(cursor, "---") || startsIndicator(cursor, "...") || ahead(cursor) === "#") break;
    const from = cursor.position;
    while (!endsPlain(cursor, inFlow)) skip(cursor);
    if (cursor.position > from) {
      parts.push(fold(gap), cursor.text.slice(from, cursor.position));
      gap = { blanks: "", first: undefined, more: "" };
    }
    need(cursor, 2);
    if (!isBlank(ahead(cursor)) && !isBreak(ahead(cursor))) break;
    readGap(cursor, gap, () => {
      if (cursor.column <= indent && ahead(cursor) === "\t") {
        throw new YamlError("tab instead of indentation in a scalar", start);
      }
    });
    if (!inFlow && cursor.column <= indent) break;
  }
  return { value: parts.join(""), endedLine: gap.first !== undefined };
}

function endsPlain(cursor: Cursor, inFlow: boolean): boolean {
  const character = ahead(cursor);
  if (isSpaceOrEnd(character)) return true;
  if (character === ":" && isSpaceOrEnd(ahead(cursor, 1))) return true;
  return inFlow && ",?[]{}".includes(character);
}

/** Reads white space; `check` is called on each blank behind a line break. */
function readGap(cursor: Cursor, gap: Gap, check?: () => void): void {
  while (true) {
    const character = ahead(cursor);
    if (isBlank(character)) {
      if (gap.first !== undefined) {
        check?.();
        skip(cursor);
      } else gap.blanks += readOne(cursor);
    } else if (isBreak(character)) {
      if (gap.first === undefined) gap.first = readBreak(cursor);
      else gap.more += readBreak(cursor);
    } else return;
    need(cursor, 1);
  }
}

/** One line break is a space, more are one fewer; LS and PS stay. */
function fold({ blanks, first, more }: Gap): string {
  if (first === undefined) return blanks;
  if (first !== "\n") return first + more;
  return more === "" ? " " : more;
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["0", "\0"],
  ["a", "\x07"],
  ["b", "\b"],
  ["t", "\t"],
  ["\t", "\t"],
  ["n", "\n"],
  ["v", "\v"],
  ["f", "\f"],
  ["r", "\r"],
  ["e", "\x1b"],
  [" ", " "],
  ['"', '"'],
  ["'", "'"],
  ["\\", "\\"],
  ["N", "\u0085"],
  ["_", "\u00a0"],
  ["L", "\u2028"],
  ["P", "\u2029"],
]);

const codeLengths: ReadonlyMap<string, number> = new Map([
  ["x", 2],
  ["u", 4],
  ["U", 8],
]);

/** Reads a scalar in quotes, which stand at the cursor. */
export function readQuoted(cursor: Cursor): string {
  const start = markOf(cursor);
  const quote = readOne(cursor);
  const parts: string[] = [];
  while (true) {
    need(cursor, 4);
    if (startsIndicator(cursor, "---") || startsIndicator(cursor, "...")) {
      throw new YamlError("document ends inside a quoted scalar", start);
    }
    if (ahead(cursor) === END) throw new YamlError("quoted scalar has no end", start);
    // An escaped line break counts as one that is already seen, and means nothing.
    const gap: Gap = { blanks: "", first: undefined, more: "" };
    while (!isSpaceOrEnd(ahead(cursor))) {
      const character = ahead(cursor);
      if (character === quote) {
        if (quote === '"' || ahead(cursor, 1) !== "'") break;
        parts.push("'");
        skip(cursor, 2);
      } else if (quote === '"' && character === "\\") {
        if (isBreak(ahead(cursor, 1))) {
          skip(cursor);
          readBreak(cursor);
          gap.first = "";
          break;
        }
        parts.push(readEscape(cursor));
      } else parts.push(readOne(cursor));
      need(cursor, 2);
    }
    if (ahead(cursor) === quote) break;
    readGap(cursor, gap);
    parts.push(fold(gap));
  }
  skip(cursor);
  return parts.join("");
}

function readEscape(cursor: Cursor): string {
  const start = markOf(cursor);
  const name = ahead(cursor, 1);
  const meaning = escapes.get(name);
  const length = codeLengths.get(name) ?? 0;
  if (meaning === undefined && length === 0) throw new YamlError("unknown escape in a quoted scalar", start);
  skip(cursor, 2);
  if (meaning !== undefined) return meaning;
  need(cursor, length);
  const digits = cursor.text.slice(cursor.position, cursor.position + length);
  const code =
    /^[0-9A-Fa-f]+$/.test(digits) && digits.length === length ? Number.parseInt(digits, 16) : Number.NaN;
  const isSurrogate = code >= 0xd800 && code <= 0xdfff;
  if (!(code <= 0x10ffff) || isSurrogate) throw new YamlError("escape names no character", start);
  skip(cursor, length);
  return String.fromCodePoint(code);
}

/** Reads a block scalar, whose `|` or `>` stands at the cursor. `indent`: of the collection that holds it. */
export function readBlock(cursor: Cursor, parentIndent: number): string {
  const start = markOf(cursor);
  const isLiteral = readOne(cursor) === "|";
  const { chomping, increment } = readBlockHeader(cursor);
  let indent = increment === 0 ? 0 : Math.max(parentIndent, 0) + increment;
  const parts: string[] = [];
  let firstBreak = "";
  let blanksLed = false;
  let gap = readBlockBreaks(cursor, indent, parentIndent, start);
  indent = gap.indent;
  while (cursor.column === indent && ahead(cursor) !== END) {
    const blanksFollow = isBlank(ahead(cursor));
    if (!isLiteral && firstBreak === "\n" && !blanksLed && !blanksFollow) {
      if (gap.breaks === "") parts.push(" ");
    } else parts.push(firstBreak);
    parts.push(gap.breaks);
    blanksLed = blanksFollow;
    const from = cursor.position;
    while (!endsLine(ahead(cursor))) {
      skip(cursor);
      need(cursor, 1);
    }
    parts.push(cursor.text.slice(from, cursor.position));
    need(cursor, 2);
    firstBreak = ahead(cursor) === END ? "" : readBreak(cursor);
    gap = readBlockBreaks(cursor, indent, parentIndent, start);
  }
  if (chomping !== "-") parts.push(firstBreak);
  if (chomping === "+") parts.push(gap.breaks);
  return parts.join("");
}

function readBlockHeader(cursor: Cursor): { chomping: string; increment: number } {
  const start = markOf(cursor);
  need(cursor, 2);
  const [header = "", signFirst = "", digitLast, digitFirst, signLast = ""] =
    /^(?:([+-])([0-9])?|([0-9])([+-])?)?/.exec(cursor.text.slice(cursor.position, cursor.position + 2)) ?? [];
  const digit = digitLast ?? digitFirst;
  if (digit === "0") throw new YamlError("indentation of a block scalar is 0", start);
  skip(cursor, header.length);
  skipBlanks(cursor);
  skipComment(cursor);
  need(cursor, 1);
  if (!endsLine(ahead(cursor))) throw new YamlError("text behind the head of a block scalar", start);
  if (isBreak(ahead(cursor))) readBreak(cursor);
  return { chomping: signFirst + signLast, increment: Number(digit ?? 0) };
}

/** Reads indentation and empty lines; without an indentation (0) it is that of the deepest line met. */
function readBlockBreaks(
  cursor: Cursor,
  indent: number,
  parentIndent: number,
  start: ReturnType<typeof markOf>,
): { breaks: string; indent: number } {
  let breaks = "";
  let deepest = 0;
  const isIndentation = (): boolean => indent === 0 || cursor.column < indent;
  while (true) {
    need(cursor, 1);
    while (isIndentation() && ahead(cursor) === " ") skip(cursor);
    deepest = Math.max(deepest, cursor.column);
    if (isIndentation() && ahead(cursor) === "\t") {
      throw new YamlError("tab instead of indentation in a block scalar", start);
    }
    if (!isBreak(ahead(cursor))) break;
    breaks += readBreak(cursor);
  }
  return { breaks, indent: indent === 0 ? Math.max(deepest, parentIndent + 1, 1) : indent };
}
