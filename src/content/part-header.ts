import { ContentError } from "./error.js";

/** Header lines beyond which Go refuses a part, and their bytes. */
const maxHeaders = 10_000;

/** The header of a part. */
export interface PartHeader {
  /** By lower-case name: the first value. */
  readonly values: ReadonlyMap<string, string>;
  /** A name stands twice. */
  readonly isRepeated: boolean;
  /** Where the part's content begins. */
  readonly end: number;
}

const name = /^[!#$%&'*+\-.0-9A-Z^_`a-z|~ ]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: Go refuses them
const badValue = /[\0-\x08\x0a-\x1f\x7f]/;

/**
 * The header that begins at `start`, of a string whose characters are bytes, as Go's net/textproto reads it: lines end
 * with or without CR, continued lines are joined. Undefined when the text ends before the header does: Go takes that for
 * the end of the parts. Throws `bad_multipart` or `too_many`.
 */
export function readPartHeader(text: string, start: number): PartHeader | undefined {
  const values = new Map<string, string>();
  let at = start;
  let isRepeated = false;
  if (isBlank(text.charCodeAt(at))) throw malformed();
  for (let count = 0; ; count++) {
    const first = lineAt(text, at);
    if (first === undefined) return undefined;
    at = first.next;
    if (first.line === "") return { values, isRepeated, end: at };
    if (count >= maxHeaders) throw new ContentError("too_many", `more than ${maxHeaders} headers in a part`);
    if (!first.line.includes(":")) throw malformed();
    const lines = [trimmed(first.line)];
    while (isBlank(text.charCodeAt(at))) {
      while (isBlank(text.charCodeAt(at))) at++;
      const more = lineAt(text, at);
      // The peer swallows the error, and meets it again on the next line.
      if (more === undefined) break;
      lines.push(trimmed(more.line));
      at = more.next;
    }
    isRepeated = !add(values, lines.join(" ")) || isRepeated;
  }
}

/** Not by a regular expression: `[ \t]+$` takes quadratic time. */
function trimmed(line: string): string {
  let [start, end] = [0, line.length];
  while (start < end && isBlank(line.charCodeAt(start))) start++;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end--;
  return line.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function lineAt(text: string, at: number): { readonly line: string; readonly next: number } | undefined {
  if (at >= text.length) return undefined;
  const newline = text.indexOf("\n", at);
  if (newline < 0) return { line: text.slice(at), next: text.length };
  const end = newline > at && text.charAt(newline - 1) === "\r" ? newline - 1 : newline;
  return { line: text.slice(at, end), next: newline + 1 };
}

/** Whether the name is a new one. */
function add(values: Map<string, string>, line: string): boolean {
  const colon = line.indexOf(":");
  const key = line.slice(0, colon);
  const value = line.slice(colon + 1);
  if (colon < 0 || !name.test(key) || badValue.test(value)) throw malformed();
  const lower = key.toLowerCase();
  if (values.has(lower)) return false;
  values.set(lower, value.replace(/^[ \t]+/, ""));
  return true;
}

function malformed(): ContentError {
  return new ContentError("bad_multipart", "malformed header of a part");
}
