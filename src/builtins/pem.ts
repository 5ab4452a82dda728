import { fromBase64 } from "./base64.js";

/** A block of a PEM text. */
export interface PemBlock {
  /** `CERTIFICATE`. */
  readonly type: string;
  readonly bytes: Buffer;
  /** What follows the block. */
  readonly rest: string;
}

const [begin, end, dashes] = ["-----BEGIN ", "\n-----END ", "-----"];

/**
 * The first well-formed block of a text, whatever stands before it; undefined without one. The text has one unit per
 * byte (`latin1`). As Go's `pem.Decode`: of several BEGIN lines before an END line the last counts.
 */
export function readPem(text: string): PemBlock | undefined {
  let from = 0;
  for (;;) {
    const stop = text.indexOf(end, from);
    if (stop < 0) return undefined;
    // Of the part between two END lines only: each unit of the text is looked at once.
    const start = text.slice(from, stop).lastIndexOf(begin);
    if (start === 0 || (start > 0 && text[from + start - 1] === "\n")) {
      const block = blockBetween(text, from + start + begin.length, stop);
      if (block !== undefined) return block;
    }
    from = stop + end.length;
  }
}

/** The block whose type begins at `start` and whose END line follows the line break at `stop`. */
function blockBetween(text: string, start: number, stop: number): PemBlock | undefined {
  const [typeLine, afterType] = lineAt(text, start);
  if (!typeLine.endsWith(dashes)) return undefined;
  const type = typeLine.slice(0, -dashes.length);
  let at = afterType;
  let headers = 0;
  for (;;) {
    if (at >= text.length) return undefined;
    const [line, next] = lineAt(text, at);
    if (!line.includes(":")) break;
    headers++;
    at = next;
  }
  if (headers > 0 && at > stop) return undefined;
  const trailer = stop + end.length;
  if (!text.startsWith(type + dashes, trailer)) return undefined;
  const [left, rest] = lineAt(text, trailer + type.length + dashes.length);
  if (left !== "") return undefined;
  const bytes = fromBase64(stop > at ? text.slice(at, stop).replace(/[ \t]/g, "") : "");
  return bytes === undefined ? undefined : { type, bytes, rest: text.slice(rest) };
}

/** The line at a place without the blanks at its end, and where the next one begins. */
function lineAt(text: string, at: number): readonly [string, number] {
  const stop = text.indexOf("\n", at);
  const line = stop < 0 ? text.slice(at) : text.slice(at, stop).replace(/\r$/, "");
  let length = line.length;
  while (line[length - 1] === " " || line[length - 1] === "\t") length--;
  return [line.slice(0, length), stop < 0 ? text.length : stop + 1];
}

/** Lines are this long. */
const lineLength = 64;

/** A PEM text of one block. */
export function writePem(type: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(new RegExp(`.{1,${lineLength}}`, "g")) ?? [];
  return [`${begin}${type}${dashes}`, ...lines, `-----END ${type}${dashes}`, ""].join("\n");
}
