import { Buffer } from "node:buffer";
import { ContentError } from "./error.js";
import { decodeJson, defaultMaxDepth } from "./json.js";
import { parseMediaType } from "./media-type.js";
import { type PartHeader, readPartHeader } from "./part-header.js";
import { jsonOfLists } from "./query.js";
import { decodeQuotedPrintable } from "./quoted-printable.js";
import { bufferOf, textOfByteString } from "./text.js";

/** Bytes of a line between parts beyond which Go's buffered reader gives up. */
const maxLine = 4_096;

/** A part with a name. Its strings' characters are bytes. */
interface Part {
  readonly name: string;
  readonly contentType: string;
  readonly content: string;
}

/** How a multipart body is read. */
export interface MultipartOptions {
  /** Of JSON in it. */
  readonly maxDepth?: number;
  /**
   * Throws `bad_multipart` for what other readers may take for something else than Go's does: parts without a name, text
   * before the first boundary and behind the last, the boundary at the begin of a line of a part, header lines that end
   * without CR or are continued, a header twice, `name*`, escapes in a name, escaped quotes, encoded content, and other
   * charsets than UTF-8.
   */
  readonly isPlain?: boolean;
}

/**
 * A multipart/form-data body: JSON text of an object of lists, one item for each part with that name: its text, or the
 * value of its JSON where its Content-Type contains `application/json`. Undefined when the content type has no boundary.
 * Reads as Go's mime/multipart does (parts without a name are skipped, quoted-printable is decoded). Throws `bad_json`,
 * `bad_media_type`, `bad_multipart`, `too_deep` or `too_many`. `contentType` is text.
 */
export function decodeMultipart(
  body: Uint8Array,
  contentType: string,
  { maxDepth = defaultMaxDepth, isPlain = false }: MultipartOptions = {},
): string | undefined {
  const boundary = parseMediaType(Buffer.from(contentType).toString("latin1")).parameters.get("boundary");
  if (boundary === undefined) return undefined;
  const values = new Map<string, string[]>();
  for (const part of readParts(bufferOf(body).toString("latin1"), boundary, isPlain)) {
    const name = textOfByteString(part.name);
    const value = part.contentType.includes("application/json")
      ? decodeJson(Buffer.from(part.content, "latin1"), maxDepth)
      : JSON.stringify(textOfByteString(part.content));
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  return jsonOfLists(values, (json) => json);
}

function* readParts(text: string, boundary: string, isPlain: boolean): Generator<Part> {
  if (boundary === "") throw new ContentError("bad_multipart", "boundary is empty");
  const dashed = `--${boundary}`;
  let newline = "\r\n";
  let at = 0;
  /** What the line before was: only an empty one may stand between a part and the next boundary. */
  let seen: "preamble" | "part" | "separator" = "preamble";
  for (;;) {
    const found = text.indexOf("\n", at);
    const line = text.slice(at, found < 0 ? text.length : found + 1);
    if (line.length > maxLine) throw new ContentError("bad_multipart", "line between parts is too long");
    const isLast = isBoundaryLine(line, `${dashed}--`, newline, true);
    if (isPlain && isLast && found >= 0 && text.slice(found).trim() !== "") throw ambiguous();
    if (found < 0) {
      if (isLast) return;
      throw new ContentError("bad_multipart", "last boundary is missing");
    }
    at = found + 1;
    if (seen === "preamble" && isBoundaryLine(line, dashed, "\n", false)) {
      if (isPlain) throw ambiguous();
      newline = "\n";
    }
    if (isBoundaryLine(line, dashed, newline, false)) {
      const header = readPartHeader(text, at);
      if (header === undefined && isPlain) throw ambiguous();
      if (header === undefined) return;
      const end = endOfPart(text, header.end, dashed, newline);
      const content = text.slice(header.end, end);
      const part = partOf(header.values, content);
      if (isPlain) {
        if (part === undefined || !isPlainHeader(header)) throw ambiguous();
        if (oddLine.test(text.slice(at, header.end)) || hasLine(content, dashed)) throw ambiguous();
      }
      if (part !== undefined) yield part;
      at = end;
      seen = "part";
    } else if (isLast) return;
    else if (seen === "part" && line === newline) seen = "separator";
    else if (isPlain && line.trim() !== "") throw ambiguous();
    else if (seen !== "preamble") throw new ContentError("bad_multipart", "unexpected line between parts");
  }
}

function ambiguous(): ContentError {
  return new ContentError("bad_multipart", "the body can be read in more than one way");
}

const plainEncodings: ReadonlySet<string> = new Set(["", "7bit", "8bit", "binary"]);
const plainCharsets: ReadonlySet<string | undefined> = new Set([undefined, "utf-8", "us-ascii"]);
/**
 * `name*` (RFC 7578, section 4.2, forbids it), a name with an escape, which some readers take for itself, or a quote with one,
 * where for some what is quoted ends.
 */
const oddName = /(?:^|[^a-z])name(?:\*|\s*=\s*"[^"]*\\)|\\"/i;
/** Of a part's header: it ends in LF alone, goes on with the one before, or has white space before its colon. */
const oddLine = /(?:^|[^\r])\n|\n[ \t]|(?:^|\n)[^:\r\n]*[ \t]:/;

function isPlainHeader({ values, isRepeated }: PartHeader): boolean {
  if (isRepeated || oddName.test(values.get("content-disposition") ?? "")) return false;
  if (!plainEncodings.has((values.get("content-transfer-encoding") ?? "").toLowerCase())) return false;
  const type = values.get("content-type") ?? "";
  return !/charset/i.test(type) || plainCharsets.has(charsetOf(type));
}

/** Whether a line of a part, as any reader may tell lines, begins with the boundary. */
function hasLine(content: string, dashed: string): boolean {
  for (let at = content.indexOf(dashed); at >= 0; at = content.indexOf(dashed, at + 1)) {
    if (at === 0 || content.charAt(at - 1) === "\n" || content.charAt(at - 1) === "\r") return true;
  }
  return false;
}

/** Empty where it cannot be read. */
function charsetOf(type: string): string | undefined {
  try {
    return parseMediaType(type).parameters.get("charset")?.toLowerCase();
  } catch {
    return "";
  }
}

/** Whether a line is the boundary, white space and a line end (which the last line of all may lack). */
function isBoundaryLine(line: string, boundary: string, newline: string, mayEnd: boolean): boolean {
  if (!line.startsWith(boundary)) return false;
  let at = boundary.length;
  while (line.charAt(at) === " " || line.charAt(at) === "\t") at++;
  const rest = line.slice(at);
  return rest === newline || (mayEnd && rest === "");
}

function endOfPart(text: string, start: number, dashed: string, newline: string): number {
  let at = start;
  if (text.startsWith(dashed, start)) {
    if (endsBoundary(text, start + dashed.length)) return start;
    at = start + dashed.length;
  }
  const boundary = newline + dashed;
  for (;;) {
    const found = text.indexOf(boundary, at);
    if (found < 0) throw new ContentError("bad_multipart", "a part is cut off");
    at = found + boundary.length;
    if (endsBoundary(text, at)) return found;
  }
}

/** Whether a boundary ends there, and is not the beginning of a longer text. */
function endsBoundary(text: string, at: number): boolean {
  return at === text.length || " \t\r\n".includes(text.charAt(at)) || text.startsWith("--", at);
}

function partOf(header: ReadonlyMap<string, string>, raw: string): Part | undefined {
  const name = formName(header.get("content-disposition") ?? "");
  if (name === "") return undefined;
  const encoding = header.get("content-transfer-encoding") ?? "";
  const content = encoding.toLowerCase() === "quoted-printable" ? decodeQuotedPrintable(raw) : raw;
  return { name, content, contentType: header.get("content-type") ?? "" };
}

function formName(disposition: string): string {
  try {
    const { type, parameters } = parseMediaType(disposition);
    return type === "form-data" ? (parameters.get("name") ?? "") : "";
  } catch (error) {
    if (error instanceof ContentError) return "";
    throw error;
  }
}
