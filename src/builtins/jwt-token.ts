import { fromBase64UrlLax } from "./base64.js";
import { BuiltinError } from "./builtin.js";
import { bytesOf, textOf } from "./bytes.js";
import { firstDocument } from "./json-first.js";
import { readJson } from "./json-text.js";
import { get, isArray, isObject, type RegoObject } from "./value.js";

/** The three parts of a token in compact form (RFC 7515), each still encoded. */
export interface Token {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
}

/** Throws a BuiltinError for anything but three parts. */
export function splitToken(text: string): Token {
  const [header, payload, signature, ...more] = text.split(".", 4);
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) {
    throw new BuiltinError("encoded JWT must have 3 sections");
  }
  return { header, payload, signature };
}

/** What is signed of a token. */
export function signedPart({ header, payload }: Token): Buffer {
  return bytesOf(`${header}.${payload}`);
}

/** The bytes of a part; padding is optional. */
export function partBytes(part: string): Buffer {
  const bytes = fromBase64UrlLax(part);
  if (bytes === undefined) throw new BuiltinError("JWT had invalid encoding");
  return bytes;
}

/** The text of a part. */
export function partText(part: string): string {
  return textOf(partBytes(part));
}

/** The object in a text of JSON. */
export function readObject(text: string): RegoObject {
  const value = readJson(firstDocument(text, "null"));
  if (!isObject(value)) throw new BuiltinError("decoded JSON type was not an object");
  return value;
}

/** The header of a token; throws a BuiltinError for that of an encrypted one. */
export function readHeader(token: Token): RegoObject {
  const header = readObject(partText(token.header));
  if (get(header, "enc") !== undefined) throw new BuiltinError("JWT is a JWE object, which is not supported");
  return header;
}

/** The members of a header that matter for its verification; empty where one is absent. */
export interface HeaderFields {
  readonly alg: string;
  readonly kid: string;
  readonly cty: string;
  /** Whether it demands the understanding of a member that is not understood (RFC 7515 section 4.1.11). */
  readonly isCritical: boolean;
}

const knownMembers: ReadonlySet<unknown> = new Set(["alg", "kid", "typ", "cty", "crit"]);

/** Throws a BuiltinError when one of them has a wrong type. */
export function headerFields(header: RegoObject): HeaderFields {
  const field = (name: string): string => {
    const value = get(header, name) ?? (header.has(name) ? null : "");
    if (typeof value !== "string") throw new BuiltinError(`${name}: must be a string`);
    return value;
  };
  field("typ");
  const critical = criticalMembers(header);
  const isCritical = [...header.keys()].some((name) => !knownMembers.has(name) && critical.has(name));
  return { alg: field("alg"), kid: field("kid"), cty: field("cty"), isCritical };
}

/** What stands in `crit` before the first that is no string. */
function criticalMembers(header: RegoObject): ReadonlySet<unknown> {
  if (!header.has("crit")) return new Set();
  const list = get(header, "crit") ?? null;
  if (!isArray(list)) throw new BuiltinError("crit: must be a list");
  const end = list.findIndex((name) => typeof name !== "string");
  const names = new Set<unknown>(end < 0 ? list : list.slice(0, end));
  if (names.size === 0) throw new BuiltinError("crit: must be a nonempty list");
  return names;
}
