import type { ByteString } from "../attributes/index.js";
import { parseMediaType } from "../content/index.js";
import { isJsonType } from "./content-types.js";

/** How a response's body is read. */
export type ResponseReader = "json" | "lines" | "events" | "text";

const lines: ReadonlySet<string> = new Set([
  "application/x-ndjson",
  "application/ndjson",
  "application/jsonl",
  "application/x-jsonlines",
  "application/json-lines",
  "application/stream+json",
]);

const texts: ReadonlySet<string> = new Set([
  "application/xml",
  "application/javascript",
  "application/ecmascript",
  "application/yaml",
  "application/x-yaml",
  "application/graphql",
  "application/x-www-form-urlencoded",
]);

/** `model/gltf+json`, `application/x-json`, `application/json-seq`: JSON, or what is refused for not being it. */
const namesJson = /[/.+-]json(?:[-+.]|$)/;

/** Undefined: a type that is not known to be text. */
export function readerOf(type: string): ResponseReader | undefined {
  if (type === "text/event-stream") return "events";
  if (lines.has(type)) return "lines";
  if (isJsonType(type) || namesJson.test(type)) return "json";
  return type.startsWith("text/") || type.endsWith("+xml") || texts.has(type) ? "text" : undefined;
}

/** Those in which ASCII is itself: in any other a body reads as noise. */
const charsets: ReadonlySet<string> = new Set([
  "utf-8",
  "utf8",
  "us-ascii",
  "ascii",
  "iso-8859-1",
  "iso-8859-15",
  "latin1",
  "windows-1250",
  "windows-1251",
  "windows-1252",
]);

/** Whether the charset that the content type names, if it names one, can be read. */
export function hasReadableCharset(headers: ReadonlyMap<string, readonly ByteString[]>): boolean {
  try {
    return (headers.get("content-type") ?? []).every((line) => {
      const charset = parseMediaType(line).parameters.get("charset");
      return charset === undefined || charsets.has(charset.toLowerCase());
    });
  } catch {
    return false;
  }
}
