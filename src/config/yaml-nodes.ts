import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  Scalar,
} from "yaml";
import { type Code, codes, hasErrors, type Path, showNamed } from "../diagnostics/index.js";
import { readPlainScalar } from "./scalars.js";
import type { YamlReading } from "./yaml.js";

/** 1-based place in a text. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** What is wrong with a text as YAML. */
export interface YamlProblem extends Position {
  readonly code: Code;
  readonly message: string;
}

/**
 * Finds the place of a path: of the key itself (`key`), or of its value. A path that is not there: of its
 * nearest parent.
 */
export type Locate = (path: Path, part: "key" | "value") => Position;

/** A document that repeats more than this through aliases is refused ("billion laughs"). */
const MAX_ALIASES = 1000;
const MAX_REPEATED = 100_000;

const tagNames = "tag:yaml.org,2002:";

/** What YAML 1.1 allows in no document. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const unprintable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** Reads one document with its positions: slow, but it says where what is wrong. */
export function readNodes(text: string): YamlReading {
  try {
    return readAll(text);
  } catch (error) {
    // Only a stack that ran out is known to come here.
    const message = `document cannot be read, nested too deeply? (${firstLine(String(error))})`;
    return { value: undefined, problems: [{ code: codes.yamlSyntax, message, line: 1, column: 1 }] };
  }
}

function readAll(text: string): YamlReading {
  const { document, at } = open(text);
  const problems: YamlProblem[] = [];
  const tell = (code: Code, offset: number, message: string): void => {
    problems.push({ code, message, ...at(offset) });
  };
  const control = text.search(unprintable);
  if (control !== -1) tell(codes.yamlSyntax, control, "control character, expected printable text");
  for (const { code, message, pos } of document.errors) {
    // What follows the colon is the text that was not expected, which may be a secret.
    const told = code === "UNEXPECTED_TOKEN" ? message.replace(/: [\s\S]*$/, "") : message;
    tell(codes.yamlSyntax, pos[0], firstLine(told));
  }
  if (problems.length > 0) return { value: undefined, problems };
  const reader: Reader = { document, tell, aliases: 0, repeated: 0, refused: false, open: new Set() };
  const value = read(document.contents, reader) ?? undefined;
  return { value: hasErrors(problems) ? undefined : value, problems };
}

/** Prepares to answer where things stand in a text that can be read. */
export function locator(text: string): Locate {
  const { document, at } = open(text);
  return (path, part) => {
    let node: unknown = document.contents;
    let offset = startOf(node) ?? 0;
    for (const [depth, step] of path.entries()) {
      if (isAlias(node)) node = node.resolve(document);
      const last = depth === path.length - 1;
      if (isMap(node)) {
        const pair = lastPair(node.items, String(step));
        if (pair === undefined) break;
        node = pair.value;
        const valueStart = isScalar(node) && node.range?.[0] === node.range?.[1] ? undefined : startOf(node);
        offset = (last && part === "value" ? valueStart : undefined) ?? startOf(pair.key) ?? offset;
      } else if (isSeq(node) && typeof step === "number" && step < node.items.length) {
        node = node.items[step];
        offset = startOf(node) ?? offset;
      } else break;
    }
    return at(offset);
  };
}

/**
 * The place in the document of a place in the text of one of its scalars; `start` is where the scalar begins. Of a scalar
 * that is written on more lines, or with escapes before the place: where it begins.
 */
export function insideScalar(text: string, start: Position, place: Position): Position {
  const lines = text.split("\n");
  const line = (lines[start.line - 1] ?? "").slice(start.column - 1);
  if (!/^[|>]/.test(line)) {
    const isQuoted = /^["']/.test(line);
    const before = line.slice(isQuoted ? 1 : 0, place.column);
    const isLiteral = isQuoted ? !before.includes(line.startsWith('"') ? "\\" : "''") : true;
    if (place.line !== 1 || !isLiteral || before.length < place.column - 1) return start;
    return { line: start.line, column: start.column + place.column - (isQuoted ? 0 : 1) };
  }
  const first = lines.slice(start.line).find((line) => line.trim() !== "") ?? "";
  return { line: start.line + place.line, column: first.search(/\S|$/) + place.column };
}

function open(text: string): { document: Document; at: (offset: number) => Position } {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    schema: "failsafe",
    version: "1.1",
    uniqueKeys: false,
    strict: true,
    prettyErrors: false,
    logLevel: "silent",
    lineCounter: lines,
  });
  return {
    document,
    at(offset) {
      const { line, col } = lines.linePos(offset);
      return { line: Math.max(line, 1), column: Math.max(col, 1) };
    },
  };
}

interface Reader {
  readonly document: Document;
  readonly tell: (code: Code, offset: number, message: string) => void;
  aliases: number;
  /** Nodes read through aliases. */
  repeated: number;
  /** There were too many. */
  refused: boolean;
  /** Anchors that are being read, so that none contains itself. */
  readonly open: Set<unknown>;
}

function read(node: unknown, reader: Reader): unknown {
  if (reader.open.size > 0 && ++reader.repeated > MAX_REPEATED) return null;
  if (isScalar(node)) return readScalar(node, reader);
  if (isAlias(node)) return readAlias(node, reader);
  if (isSeq(node)) {
    checkTag(node.tag, "seq", startOf(node), reader);
    return node.items.map((item) => read(item, reader));
  }
  if (!isMap(node)) return null;
  checkTag(node.tag, "map", startOf(node), reader);
  const own = new Map<string, unknown>();
  const merged = new Map<string, unknown>();
  for (const pair of node.items) {
    const key = readKey(pair, reader);
    if (key === undefined) continue;
    if (key === mergeKey) {
      for (const [name, value] of mergeable(pair.value, reader)) merged.set(name, value);
      continue;
    }
    if (own.has(key)) {
      const message = `${showNamed("key", key)} is given twice, the last one counts`;
      reader.tell(codes.duplicateKey, startOf(pair.key) ?? 0, message);
    }
    own.set(key, read(pair.value, reader));
  }
  return toObject(merged.size === 0 ? own : new Map([...merged, ...own]));
}

const mergeKey = Symbol("<<");

function readKey(pair: Pair, reader: Reader): string | typeof mergeKey | undefined {
  const { key } = pair;
  const value = isScalar(key) ? readScalar(key, reader) : null;
  if (value === "<<" && isScalar(key) && key.type === Scalar.PLAIN) return mergeKey;
  if (isScalar(key) && value !== null) return String(value);
  if (isScalar(key) && key.value !== null) return "null";
  reader.tell(codes.yamlSyntax, startOf(key) ?? startOf(pair.value) ?? 0, "key is not a text");
  return undefined;
}

/** What `<<` brings in: a mapping or a list of them, of which the first wins. */
function mergeable(node: unknown, reader: Reader): [string, unknown][] {
  const value = read(node, reader);
  const sources = Array.isArray(value) ? [...value].reverse() : [value];
  if (sources.every((source) => typeof source === "object" && source !== null && !Array.isArray(source))) {
    return sources.flatMap((source) => Object.entries(source as object));
  }
  reader.tell(codes.yamlSyntax, startOf(node) ?? 0, "`<<` merges something that is no mapping");
  return [];
}

function readScalar(node: Scalar, reader: Reader): unknown {
  const text = String(node.value ?? "");
  const plain = node.type === Scalar.PLAIN || node.type === undefined || node.value === null;
  if (node.tag === undefined) return plain ? readPlainScalar(text) : text;
  const tag = node.tag.startsWith(tagNames) ? node.tag.slice(tagNames.length) : node.tag;
  if (tag === "str" || tag === "!") return text;
  const value = readPlainScalar(text);
  if (tag === "null" && value === null) return null;
  if (tag === "bool" && typeof value === "boolean") return value;
  if ((tag === "int" || tag === "float") && typeof value === "number") return value;
  const expected = "expected one of !!str, !!int, !!float, !!bool, !!null on a fitting value";
  reader.tell(
    codes.yamlSyntax,
    startOf(node) ?? 0,
    `${showNamed("tag", tag)} cannot be used here, ${expected}`,
  );
  return null;
}

function readAlias(node: Alias, reader: Reader): unknown {
  const target = node.resolve(reader.document);
  const at = startOf(node) ?? 0;
  if (target === undefined) {
    reader.tell(codes.yamlSyntax, at, `${showNamed("alias", node.source)} has no anchor`);
    return null;
  }
  if (reader.repeated > MAX_REPEATED) return null;
  if (++reader.aliases > MAX_ALIASES || reader.open.has(target)) return refuseAliases(at, reader);
  reader.open.add(target);
  const value = read(target, reader);
  reader.open.delete(target);
  return reader.repeated > MAX_REPEATED ? refuseAliases(at, reader) : value;
}

/** One finding is enough, and reading on could take for ever. */
function refuseAliases(at: number, reader: Reader): null {
  reader.repeated = MAX_REPEATED + 1;
  if (reader.refused) return null;
  reader.refused = true;
  const most = `at most ${MAX_ALIASES} that repeat ${MAX_REPEATED} nodes`;
  reader.tell(codes.yamlSyntax, at, `too many aliases, expected ${most}, none within itself`);
  return null;
}

function checkTag(
  tag: string | undefined,
  expected: string,
  offset: number | undefined,
  reader: Reader,
): void {
  if (tag === undefined || tag === tagNames + expected || tag === "!") return;
  reader.tell(codes.yamlSyntax, offset ?? 0, `${showNamed("tag", tag)} cannot be used here, expected none`);
}

/** `__proto__` becomes an ordinary key. */
function toObject(entries: ReadonlyMap<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(entries);
}

function lastPair(pairs: readonly Pair[], name: string): Pair | undefined {
  return pairs.findLast(({ key }) => {
    if (!isScalar(key)) return false;
    const plain = key.type === Scalar.PLAIN;
    return String(plain ? readPlainScalar(String(key.value)) : key.value) === name;
  });
}

function startOf(node: unknown): number | undefined {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : undefined;
}

function firstLine(message: string): string {
  return (
    message
      .split("\n", 1)[0]
      ?.replace(/^[A-Z](?=[a-z])/, (c) => c.toLowerCase())
      .replace(/\.$/, "") ?? message
  );
}
