import {
  ahead,
  type Cursor,
  END,
  isBlank,
  isBreak,
  isSpaceOrEnd,
  type Mark,
  markOf,
  need,
  readBreak,
  skip,
  skipComment,
  startsIndicator,
  YamlError,
} from "./cursor.js";
import { type Directive, readAnchor, readDirective, readTag, type Tag } from "./properties.js";
import { readBlock, readPlain, readQuoted } from "./scalars.js";

/** Signs of one character, or none: where a block collection begins and ends is seen by its indentation. */
export type Sign =
  | "stream end"
  | "document start"
  | "document end"
  | "block sequence"
  | "block mapping"
  | "block end"
  | "["
  | "]"
  | "{"
  | "}"
  | ","
  | "-"
  | "key"
  | "value";

export type Token = { readonly mark: Mark } & (
  | { readonly kind: Sign }
  | { readonly kind: "directive"; readonly directive: Directive }
  | { readonly kind: "anchor" | "alias"; readonly name: string }
  | { readonly kind: "tag"; readonly tag: Tag }
  | { readonly kind: "scalar"; readonly value: string; readonly isPlain: boolean }
);

/** What may turn out to be a mapping's key once a `:` follows it on its line. */
interface SimpleKey {
  readonly isPossible: boolean;
  /** Nothing else could stand here. */
  readonly isRequired: boolean;
  /** Of the token that begins it. */
  readonly number: number;
  readonly mark: Mark;
}

/** A key without `?` is no longer than this and stands on one line. */
const MAX_SIMPLE_KEY = 1024;
/** Of flow collections in each other, and of indentations: yaml.v2's. */
const MAX_LEVELS = 10_000;

/** Gives the tokens of a text one by one. What follows the last one asked for is hardly looked at. */
export interface Tokens {
  peek(): Token;
  next(): Token;
}

interface Scanner {
  readonly cursor: Cursor;
  /** Read and not taken. */
  readonly queue: Token[];
  taken: number;
  indent: number;
  readonly indents: number[];
  /** One for each level of flow collections, and one for the block around them. */
  readonly keys: SimpleKey[];
  /** The levels at which these tokens may begin a key. */
  readonly levels: Map<number, number>;
  mayBeginKey: boolean;
}

const noKey: SimpleKey = {
  isPossible: false,
  isRequired: false,
  number: 0,
  mark: { index: 0, line: 0, column: 0 },
};

/**
 * Splits a text into tokens, by the rules of YAML 1.1 as libyaml has them. Both functions throw `YamlError`.
 */
export function tokensOf(cursor: Cursor): Tokens {
  const scanner: Scanner = {
    cursor,
    queue: [],
    taken: 0,
    indent: -1,
    indents: [],
    keys: [noKey],
    levels: new Map(),
    mayBeginKey: true,
  };
  const peek = (): Token => {
    while (true) {
      const [first] = scanner.queue;
      if (first !== undefined && !isUndecided(scanner)) return first;
      scanToken(scanner);
    }
  };
  return {
    peek,
    next() {
      const token = peek();
      scanner.queue.shift();
      scanner.taken++;
      return token;
    },
  };
}

/** Whether a `:` that has not been read yet may put a key before the next token. */
function isUndecided(scanner: Scanner): boolean {
  const level = scanner.levels.get(scanner.taken);
  return level !== undefined && isStillKey(scanner, level);
}

function isStillKey(scanner: Scanner, level: number): boolean {
  const key = scanner.keys[level] ?? noKey;
  if (!key.isPossible) return false;
  const { line, index } = scanner.cursor;
  if (key.mark.line >= line && key.mark.index + MAX_SIMPLE_KEY >= index) return true;
  if (key.isRequired) throw new YamlError("`:` expected behind a key", key.mark);
  scanner.keys[level] = { ...key, isPossible: false };
  return false;
}

function flowLevel(scanner: Scanner): number {
  return scanner.keys.length - 1;
}

function scanToken(scanner: Scanner): void {
  const { cursor } = scanner;
  skipToToken(scanner);
  unroll(scanner, cursor.column);
  need(cursor, 4);
  const character = ahead(cursor);
  const inFlow = flowLevel(scanner) > 0;
  const isFree = isSpaceOrEnd(ahead(cursor, 1));
  if (character === END) scanEnd(scanner);
  else if (cursor.column === 0 && character === "%") {
    leaveBlocks(scanner);
    const mark = markOf(cursor);
    push(scanner, { kind: "directive", mark, directive: readDirective(cursor) });
  } else if (startsIndicator(cursor, "---")) scanIndicator(scanner, "document start");
  else if (startsIndicator(cursor, "...")) scanIndicator(scanner, "document end");
  else if (character === "[" || character === "{") scanFlowStart(scanner, character);
  else if (character === "]" || character === "}") scanFlowEnd(scanner, character);
  else if (character === ",") {
    dropKey(scanner);
    scanner.mayBeginKey = true;
    pushSign(scanner, ",", 1);
  } else if (character === "-" && isFree) scanEntry(scanner);
  else if (character === "?" && (inFlow || isFree)) scanKey(scanner);
  else if (character === ":" && (inFlow || isFree)) scanValue(scanner);
  else scanContent(scanner, character, inFlow);
}

function scanContent(scanner: Scanner, character: string, inFlow: boolean): void {
  const { cursor } = scanner;
  const mark = markOf(cursor);
  if ((character === "|" || character === ">") && !inFlow) {
    dropKey(scanner);
    scanner.mayBeginKey = true;
    push(scanner, { kind: "scalar", mark, value: readBlock(cursor, scanner.indent), isPlain: false });
    return;
  }
  const isPlain = !"*&!'\"".includes(character);
  if (
    isPlain &&
    (isSpaceOrEnd(character) || (inFlow ? "?:" : "").includes(character) || ",[]{}#|>%@`".includes(character))
  ) {
    throw new YamlError("character that begins nothing", mark);
  }
  saveKey(scanner);
  scanner.mayBeginKey = false;
  if (character === "*") push(scanner, { kind: "alias", mark, name: readAnchor(cursor) });
  else if (character === "&") push(scanner, { kind: "anchor", mark, name: readAnchor(cursor) });
  else if (character === "!") push(scanner, { kind: "tag", mark, tag: readTag(cursor) });
  else if (!isPlain) push(scanner, { kind: "scalar", mark, value: readQuoted(cursor), isPlain: false });
  else {
    const { value, endedLine } = readPlain(cursor, scanner.indent, inFlow);
    if (endedLine) scanner.mayBeginKey = true;
    push(scanner, { kind: "scalar", mark, value, isPlain: true });
  }
}

/** Steps over white space and comments. A tab is none where it could be taken for indentation. */
function skipToToken(scanner: Scanner): void {
  const { cursor } = scanner;
  if (cursor.position === 0 && ahead(cursor) === "\ufeff") skip(cursor);
  while (true) {
    need(cursor, 1);
    const takesTabs = flowLevel(scanner) > 0 || !scanner.mayBeginKey;
    while (ahead(cursor) === " " || (takesTabs && isBlank(ahead(cursor)))) {
      skip(cursor);
      need(cursor, 1);
    }
    skipComment(cursor);
    need(cursor, 1);
    if (!isBreak(ahead(cursor))) return;
    readBreak(cursor);
    if (flowLevel(scanner) === 0) scanner.mayBeginKey = true;
  }
}

function scanEnd(scanner: Scanner): void {
  const { cursor } = scanner;
  if (cursor.column !== 0) {
    cursor.column = 0;
    cursor.line++;
  }
  leaveBlocks(scanner);
  pushSign(scanner, "stream end", 0);
}

function scanIndicator(scanner: Scanner, kind: Sign): void {
  leaveBlocks(scanner);
  pushSign(scanner, kind, 3);
}

function leaveBlocks(scanner: Scanner): void {
  unroll(scanner, -1);
  dropKey(scanner);
  scanner.mayBeginKey = false;
}

function scanFlowStart(scanner: Scanner, kind: "[" | "{"): void {
  saveKey(scanner);
  const mark = markOf(scanner.cursor);
  scanner.keys.push({ ...noKey, number: nextNumber(scanner), mark });
  if (flowLevel(scanner) > MAX_LEVELS) throw new YamlError("nested too deeply", mark);
  scanner.mayBeginKey = true;
  pushSign(scanner, kind, 1);
}

function scanFlowEnd(scanner: Scanner, kind: "]" | "}"): void {
  dropKey(scanner);
  if (flowLevel(scanner) > 0) scanner.levels.delete((scanner.keys.pop() ?? noKey).number);
  scanner.mayBeginKey = false;
  pushSign(scanner, kind, 1);
}

function scanEntry(scanner: Scanner): void {
  beginBlock(scanner, "block sequence", "list entry cannot stand here");
  dropKey(scanner);
  scanner.mayBeginKey = true;
  pushSign(scanner, "-", 1);
}

function scanKey(scanner: Scanner): void {
  beginBlock(scanner, "block mapping", "mapping key cannot stand here");
  dropKey(scanner);
  scanner.mayBeginKey = flowLevel(scanner) === 0;
  pushSign(scanner, "key", 1);
}

function scanValue(scanner: Scanner): void {
  const level = flowLevel(scanner);
  if (isStillKey(scanner, level)) {
    const key = scanner.keys[level] ?? noKey;
    insert(scanner, key.number, { kind: "key", mark: key.mark });
    roll(scanner, key.mark, "block mapping", key.number);
    scanner.keys[level] = { ...key, isPossible: false };
    scanner.levels.delete(key.number);
    scanner.mayBeginKey = false;
  } else {
    beginBlock(scanner, "block mapping", "mapping value cannot stand here");
    scanner.mayBeginKey = level === 0;
  }
  pushSign(scanner, "value", 1);
}

/** Outside of flow collections a sign may begin a collection, where a key may begin. */
function beginBlock(scanner: Scanner, kind: Sign, complaint: string): void {
  if (flowLevel(scanner) > 0) return;
  const mark = markOf(scanner.cursor);
  if (!scanner.mayBeginKey) throw new YamlError(complaint, mark);
  roll(scanner, mark, kind, undefined);
}

/** A deeper column begins a collection; its token comes before that of `number`. */
function roll(scanner: Scanner, mark: Mark, kind: Sign, number: number | undefined): void {
  if (flowLevel(scanner) > 0 || scanner.indent >= mark.column) return;
  scanner.indents.push(scanner.indent);
  scanner.indent = mark.column;
  if (scanner.indents.length > MAX_LEVELS) throw new YamlError("nested too deeply", mark);
  if (number === undefined) push(scanner, { kind, mark });
  else insert(scanner, number, { kind, mark });
}

function unroll(scanner: Scanner, column: number): void {
  if (flowLevel(scanner) > 0) return;
  while (scanner.indent > column) {
    push(scanner, { kind: "block end", mark: markOf(scanner.cursor) });
    scanner.indent = scanner.indents.pop() ?? -1;
  }
}

function saveKey(scanner: Scanner): void {
  if (!scanner.mayBeginKey) return;
  const { cursor } = scanner;
  const level = flowLevel(scanner);
  dropKey(scanner);
  const number = nextNumber(scanner);
  const isRequired = level === 0 && scanner.indent === cursor.column;
  scanner.keys[level] = { isPossible: true, isRequired, number, mark: markOf(cursor) };
  scanner.levels.set(number, level);
}

function dropKey(scanner: Scanner): void {
  const level = flowLevel(scanner);
  const key = scanner.keys[level] ?? noKey;
  if (!key.isPossible) return;
  if (key.isRequired) throw new YamlError("`:` expected behind a key", key.mark);
  scanner.keys[level] = { ...key, isPossible: false };
  scanner.levels.delete(key.number);
}

function nextNumber(scanner: Scanner): number {
  return scanner.taken + scanner.queue.length;
}

function insert(scanner: Scanner, number: number, token: Token): void {
  const at = number - scanner.taken;
  if (at < 0) scanner.queue.push(token);
  else scanner.queue.splice(at, 0, token);
}

function push(scanner: Scanner, token: Token): void {
  scanner.queue.push(token);
}

function pushSign(scanner: Scanner, kind: Sign, length: number): void {
  push(scanner, { kind, mark: markOf(scanner.cursor) });
  skip(scanner.cursor, length);
}
