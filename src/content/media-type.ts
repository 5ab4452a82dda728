import { ContentError } from "./error.js";
import { unescapeBytes } from "./query.js";

/** A media type or disposition, lower-cased, with its parameters. */
export interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const token = /[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+/y;
const wholeType = /^[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+(?:\/[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+)?$/;
const specials = new Set('()<>@,;:\\"/[]?=');
/** ASCII of Go's unicode.IsSpace, plus its two of Latin-1. */
const space = /[\t-\r \x85\xa0]*/y;

/**
 * Go's mime.ParseMediaType, of a string whose characters are bytes; continuations (RFC 2231) are joined. Throws
 * `bad_media_type`.
 */
export function parseMediaType(text: string): MediaType {
  const semicolon = text.indexOf(";");
  const type = (semicolon < 0 ? text : text.slice(0, semicolon)).trim().toLowerCase();
  if (!wholeType.test(type)) throw new ContentError("bad_media_type", "invalid media type");
  const parameters = new Map<string, string>();
  const pieces = new Map<string, Map<string, string>>();
  let at = semicolon < 0 ? text.length : semicolon;
  for (at = skip(space, text, at); at < text.length; at = skip(space, text, at)) {
    const read = readParameter(text, at);
    if (read === undefined) {
      if (text.slice(at).trim() === ";") break;
      throw new ContentError("bad_media_type", "invalid media type parameter");
    }
    const { name, value, end } = read;
    const star = name.indexOf("*");
    const target = star < 0 ? parameters : entryOf(pieces, name.slice(0, star));
    if ((target.get(name) ?? value) !== value) {
      throw new ContentError("bad_media_type", "duplicate media type parameter");
    }
    target.set(name, value);
    at = end;
  }
  for (const [name, parts] of pieces) {
    const joined = join(name, parts);
    if (joined !== undefined) parameters.set(name, joined);
  }
  return { type, parameters };
}

function entryOf(pieces: Map<string, Map<string, string>>, name: string): Map<string, string> {
  const found = pieces.get(name) ?? new Map<string, string>();
  pieces.set(name, found);
  return found;
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

function readParameter(
  text: string,
  start: number,
): { readonly name: string; readonly value: string; readonly end: number } | undefined {
  if (text[start] !== ";") return undefined;
  const nameAt = skip(space, text, start + 1);
  const nameEnd = skip(token, text, nameAt);
  const equals = skip(space, text, nameEnd);
  if (nameEnd === nameAt || text[equals] !== "=") return undefined;
  const name = text.slice(nameAt, nameEnd).toLowerCase();
  const valueAt = skip(space, text, equals + 1);
  if (text[valueAt] === '"') return readQuoted(text, valueAt, name);
  const end = skip(token, text, valueAt);
  return end === valueAt ? undefined : { name, value: text.slice(valueAt, end), end };
}

function readQuoted(
  text: string,
  start: number,
  name: string,
): { readonly name: string; readonly value: string; readonly end: number } | undefined {
  let value = "";
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '"') return { name, value, end: at + 1 };
    if (char === "\r" || char === "\n") return undefined;
    // A backslash before anything else is meant: old browsers send whole Windows paths.
    if (char === "\\" && specials.has(text.charAt(at + 1))) value += text.charAt(++at);
    else value += char;
  }
  return undefined;
}

/** `name*`, or `name*0`, `name*1*`, ... in their order. */
function join(name: string, parts: ReadonlyMap<string, string>): string | undefined {
  const whole = parts.get(`${name}*`);
  if (whole !== undefined) return decodeExtended(whole);
  let joined: string | undefined;
  for (let n = 0; ; n++) {
    const plain = parts.get(`${name}*${n}`);
    const encoded = parts.get(`${name}*${n}*`);
    if (plain === undefined && encoded === undefined) return joined;
    const piece = plain ?? (n === 0 ? decodeExtended(encoded ?? "") : unescaped(encoded ?? ""));
    joined = (joined ?? "") + (piece ?? "");
  }
}

/** `charset'language'text` of a charset that is known. */
function decodeExtended(value: string): string | undefined {
  const [, charset = "", text = ""] = /^([^']*)'[^']*'(.*)$/s.exec(value) ?? [];
  return /^(?:us-ascii|utf-8)$/i.test(charset) ? unescaped(text) : undefined;
}

function unescaped(text: string): string | undefined {
  try {
    return unescapeBytes(text);
  } catch {
    return undefined;
  }
}
