import type { ByteString } from "../attributes/index.js";
import { parseMediaType } from "../content/index.js";

const pattern = /^(?:\*\/\*|[!#$&^_.+a-z0-9-]+\/(?:\*(?:\+[a-z0-9.-]+)?|[!#$&^_.+a-z0-9-]+))$/;

/** Whether a text can stand in `contentTypes`: `application/json`, `text/*`, `application/*+json`. */
export function isContentTypePattern(text: string): boolean {
  return pattern.test(text);
}

/**
 * The media type that headers name, lower-case and without parameters; empty where there is none, or one
 * that cannot be read.
 */
export function mediaTypeOf(headers: ReadonlyMap<string, readonly ByteString[]>): string {
  const lines = headers.get("content-type") ?? [];
  const line = lines[0];
  // Two of them: nobody knows which one a reader takes.
  if (line === undefined || lines.length > 1) return "";
  try {
    const { type } = parseMediaType(line);
    return type.includes("/") ? type : "";
  } catch {
    return "";
  }
}

/** Whether a media type is one of a list; an empty list takes any. Compiled once, at load. */
export function compileContentTypes(patterns: readonly string[]): (type: string) => boolean {
  if (patterns.length === 0) return () => true;
  const exact = new Set(patterns.filter((text) => !text.includes("*")));
  const open = patterns.filter((text) => text.includes("*")).map((text) => text.split("*"));
  return (type) =>
    exact.has(type) ||
    (type !== "" &&
      open.some(([before = "", ...after]) => type.startsWith(before) && type.endsWith(after.at(-1) ?? "")));
}

/** Whether a media type says that a body is JSON. */
export function isJsonType(type: string): boolean {
  return (
    type === "application/json" ||
    type === "text/json" ||
    (type.startsWith("application/") && type.endsWith("+json"))
  );
}

/** The names that one JSON document in each line goes by. */
const lines: ReadonlySet<string> = new Set([
  "application/x-ndjson",
  "application/ndjson",
  "application/jsonl",
  "application/x-jsonl",
  "application/jsonlines",
  "application/x-jsonlines",
  "application/json-lines",
  "application/stream+json",
  "application/x-json-stream",
  "text/x-ndjson",
  "text/ndjson",
  "text/jsonl",
]);

/** Whether a media type says that each line of a body is a JSON document. */
export function isLinesType(type: string): boolean {
  return lines.has(type);
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
      // Which of its forms (RFC 2231) a reader knows differs.
      if (/charset\*/i.test(line)) return false;
      const charset = parseMediaType(line).parameters.get("charset");
      return charset === undefined || charsets.has(charset.toLowerCase());
    });
  } catch {
    return false;
  }
}
