import { Buffer } from "node:buffer";
import {
  ahead,
  type Cursor,
  endsLine,
  isBlank,
  isBreak,
  isSpaceOrEnd,
  isWord,
  markOf,
  need,
  readBreak,
  readOne,
  skip,
  skipBlanks,
  skipComment,
  YamlError,
} from "./cursor.js";

/** A tag as written: its handle stands for a prefix; an empty one: `suffix` is the whole tag. */
export interface Tag {
  readonly handle: string;
  readonly suffix: string;
}

/** A line that begins with `%`. */
export type Directive =
  | { readonly kind: "version"; readonly version: string }
  | { readonly kind: "tag"; readonly handle: string; readonly prefix: string };

/** Reads an anchor or an alias, whose `&` or `*` stands at the cursor, and gives its name. */
export function readAnchor(cursor: Cursor): string {
  const start = markOf(cursor);
  skip(cursor);
  const name = readWord(cursor);
  if (name === "" || !(isSpaceOrEnd(ahead(cursor)) || "?:,]}%@`".includes(ahead(cursor)))) {
    throw new YamlError("anchor or alias has no name of letters, digits, - and _", start);
  }
  return name;
}

/** Reads a tag, whose `!` stands at the cursor. */
export function readTag(cursor: Cursor): Tag {
  const start = markOf(cursor);
  need(cursor, 2);
  const tag = ahead(cursor, 1) === "<" ? readVerbatimTag(cursor) : readShortTag(cursor);
  need(cursor, 1);
  if (!isSpaceOrEnd(ahead(cursor))) throw new YamlError("tag is not followed by white space", start);
  return tag;
}

function readVerbatimTag(cursor: Cursor): Tag {
  const start = markOf(cursor);
  skip(cursor, 2);
  const suffix = readUri(cursor);
  if (suffix === "" || ahead(cursor) !== ">") throw new YamlError("tag has no end", start);
  skip(cursor);
  return { handle: "", suffix };
}

function readShortTag(cursor: Cursor): Tag {
  const start = markOf(cursor);
  const head = readHandle(cursor);
  const rest = readUri(cursor);
  if (head.length > 1 && head.endsWith("!")) {
    if (rest === "") throw new YamlError("tag has no name", start);
    return { handle: head, suffix: rest };
  }
  const suffix = head.slice(1) + rest;
  return suffix === "" ? { handle: "", suffix: "!" } : { handle: "!", suffix };
}

function readHandle(cursor: Cursor): string {
  const start = markOf(cursor);
  if (ahead(cursor) !== "!") throw new YamlError("tag does not begin with !", start);
  skip(cursor);
  const word = readWord(cursor);
  if (ahead(cursor) !== "!") return `!${word}`;
  skip(cursor);
  return `!${word}!`;
}

const uri = /^[0-9A-Za-z_;/?:@&=+$,.!~*'()[\]%-]$/;

/** May be empty. Percent escapes must be UTF-8 of whole characters. */
function readUri(cursor: Cursor): string {
  const bytes: number[] = [];
  const start = markOf(cursor);
  while (true) {
    need(cursor, 1);
    const character = ahead(cursor);
    if (!uri.test(character)) break;
    if (character === "%") {
      const octet = /^%[0-9A-Fa-f]{2}$/.test(cursor.text.slice(cursor.position, cursor.position + 3));
      if (!octet) throw new YamlError("tag has an incomplete escape", start);
      bytes.push(Number.parseInt(cursor.text.slice(cursor.position + 1, cursor.position + 3), 16));
      skip(cursor, 3);
    } else bytes.push(readOne(cursor).charCodeAt(0));
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes));
  } catch {
    throw new YamlError("tag has an escape that is no UTF-8", start);
  }
}

/** Reads a directive, whose `%` stands at the beginning of the cursor's line, and the line's end. */
export function readDirective(cursor: Cursor): Directive {
  const start = markOf(cursor);
  skip(cursor);
  const name = readWord(cursor);
  if ((name !== "YAML" && name !== "TAG") || !isSpaceOrEnd(ahead(cursor))) {
    throw new YamlError("unknown directive", start);
  }
  skipBlanks(cursor);
  const directive = name === "YAML" ? readVersion(cursor) : readTagDirective(cursor);
  skipBlanks(cursor);
  skipComment(cursor);
  need(cursor, 1);
  if (!endsLine(ahead(cursor))) throw new YamlError("text behind a directive", start);
  if (isBreak(ahead(cursor))) readBreak(cursor);
  return directive;
}

function readVersion(cursor: Cursor): Directive {
  const [version] = /^[0-9]{1,2}\.[0-9]{1,2}(?![0-9])/.exec(
    cursor.text.slice(cursor.position, cursor.position + 6),
  ) ?? [undefined];
  if (version === undefined) throw new YamlError("directive names no version", markOf(cursor));
  skip(cursor, version.length);
  return { kind: "version", version: version.split(".").map(Number).join(".") };
}

function readTagDirective(cursor: Cursor): Directive {
  const start = markOf(cursor);
  const handle = readHandle(cursor);
  if (handle !== "!" && !handle.endsWith("!")) throw new YamlError("tag handle does not end with !", start);
  if (!isBlank(ahead(cursor))) throw new YamlError("tag handle is not followed by white space", start);
  skipBlanks(cursor);
  const prefix = readUri(cursor);
  if (prefix === "" || !isSpaceOrEnd(ahead(cursor))) throw new YamlError("tag prefix is missing", start);
  return { kind: "tag", handle, prefix };
}

function readWord(cursor: Cursor): string {
  const from = cursor.position;
  need(cursor, 1);
  while (isWord(ahead(cursor))) {
    skip(cursor);
    need(cursor, 1);
  }
  return cursor.text.slice(from, cursor.position);
}
