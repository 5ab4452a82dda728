import type { Engine } from "./engine.js";
import { elementsOf, type } from "./memory.js";
import { EvaluationStop } from "./outcome.js";
import type { DataPiece } from "./program.js";

/** Pieces longer than this are split where objects allow it. */
const maxPiece = 256 * 1024;

/** So much JSON is loaded before others may use the thread. */
const maxUnpaused = 128 * 1024;

/**
 * Cuts a base document into pieces that are loaded one by one; each is an object whose members go into the object at
 * its path. `json` is the JSON of an object; arrays and strings are not cut. Throws a SyntaxError for what is no JSON.
 */
export function splitData(json: string): DataPiece[] {
  return json.length <= maxPiece ? [{ path: [], json }] : piecesOf(json, []);
}

function piecesOf(json: string, path: readonly string[]): DataPiece[] {
  const pieces: DataPiece[] = [{ path, json: "{}" }];
  let small: string[] = [];
  let length = 0;
  const close = (): void => {
    if (small.length > 0) pieces.push({ path, json: `{${small.join(",")}}` });
    small = [];
    length = 0;
  };
  for (const { key, start, end } of scanObject(json)) {
    if (end - start > maxPiece && json[start] === "{") {
      pieces.push(...piecesOf(json.slice(start, end), [...path, key]));
      continue;
    }
    small.push(`${JSON.stringify(key)}:${json.slice(start, end)}`);
    length += end - start;
    if (length > maxPiece) close();
  }
  close();
  return pieces;
}

interface Member {
  readonly key: string;
  /** Of its value. */
  readonly start: number;
  readonly end: number;
}

/** The members of the object that a text is, numbers left as they are written. */
function scanObject(json: string): Member[] {
  const members: Member[] = [];
  let at = skipSpace(json, 0) + 1;
  for (;;) {
    at = skipSpace(json, at);
    if (json[at] !== '"') return members;
    const keyEnd = endOfString(json, at);
    const key = JSON.parse(json.slice(at, keyEnd)) as string;
    const start = skipSpace(json, skipSpace(json, keyEnd) + 1);
    const end = endOfValue(json, start);
    members.push({ key, start, end });
    at = skipSpace(json, end);
    if (json[at] !== ",") return members;
    at++;
  }
}

function skipSpace(json: string, start: number): number {
  let at = start;
  while (json.charCodeAt(at) <= 0x20) at++;
  return at;
}

function endOfString(json: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = json.indexOf('"', at);
    if (at < 0) throw new SyntaxError("unexpected end of the data");
    let escapes = 0;
    while (json[at - 1 - escapes] === "\\") escapes++;
    if (escapes % 2 === 0) return at + 1;
  }
}

const structure = /["{}[\]]/g;
const scalarEnd = /[\s,}\]]|$/g;

function endOfValue(json: string, start: number): number {
  if (json[start] === '"') return endOfString(json, start);
  if (json[start] !== "{" && json[start] !== "[") {
    scalarEnd.lastIndex = start;
    return scalarEnd.exec(json)?.index ?? json.length;
  }
  structure.lastIndex = start;
  for (let depth = 0; ; ) {
    const found = structure.exec(json);
    if (found === null) throw new SyntaxError("unexpected end of the data");
    if (found[0] === '"') structure.lastIndex = endOfString(json, found.index);
    else if (found[0] === "{" || found[0] === "[") depth++;
    else if (--depth === 0) return found.index + 1;
  }
}

/** Loads pieces into a fresh instance, whose base document is at first the empty object `root`. */
export async function loadData(
  engine: Engine,
  root: number,
  pieces: readonly DataPiece[],
  pause: () => Promise<void>,
): Promise<void> {
  engine.begin(Number.POSITIVE_INFINITY, undefined);
  const objects = new Map([["[]", root]]);
  let unpaused = 0;
  for (const { path, json } of pieces) {
    load(engine, objects, path, json);
    unpaused += json.length;
    if (unpaused < maxUnpaused) continue;
    unpaused = 0;
    await pause();
  }
}

/** `objects` are the addresses of objects that pieces lead to, by their paths. */
function load(
  { exports, memory }: Engine,
  objects: Map<string, number>,
  path: readonly string[],
  json: string,
): void {
  const parse = (text: string): number => {
    const { address, length } = memory.copyText(text);
    const parsed = exports.opa_json_parse(address, length) >>> 0;
    exports.opa_free(address);
    if (parsed === 0) throw new EvaluationStop("internal", "the data is no JSON");
    return parsed;
  };
  const piece = parse(json);
  if (memory.view().getUint8(piece) !== type.object)
    throw new EvaluationStop("internal", "the data is no object");
  const into = objects.get(JSON.stringify(path));
  if (into === undefined) {
    const around = objects.get(JSON.stringify(path.slice(0, -1)));
    if (around === undefined)
      throw new EvaluationStop("internal", "the pieces of the data do not fit together");
    exports.opa_object_insert(around, memory.write(path.at(-1) ?? ""), piece);
    objects.set(JSON.stringify(path), piece);
    return;
  }
  for (const element of elementsOf(memory.view(), piece)) {
    const view = memory.view();
    exports.opa_object_insert(into, view.getUint32(element, true), view.getUint32(element + 4, true));
  }
}
