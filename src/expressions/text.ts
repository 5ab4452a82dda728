import { Buffer } from "node:buffer";
import type { ByteString } from "../attributes/index.js";
import { type Budget, spend, spendText } from "./budget.js";

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what is meant
const ascii = /^[\x00-\x7f]*$/;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The text that bytes are in UTF-8. Different bytes give different texts, since texts become keys of
 * counters: a byte that is no UTF-8 is U+FFFD and its two hex digits, and so are the three bytes of a U+FFFD
 * that was sent.
 */
export function textOf(bytes: ByteString, budget: Budget): string {
  spendText(budget, bytes.length);
  if (ascii.test(bytes)) return bytes;
  // Eight times as dear: what comes here is copied and looked at twice.
  spendText(budget, bytes.length << 3);
  const buffer = Buffer.from(bytes, "latin1");
  if (!bytes.includes("\xef\xbf\xbd")) {
    try {
      return decoder.decode(buffer);
    } catch {
      // Falls through to what shows the bytes.
    }
  }
  return escaped(buffer, budget);
}

/** A sequence of UTF-8 (RFC 3629), or one byte that begins none. */
const sequence = new RegExp(
  [
    "[\\x20-\\x7e]+",
    "[\\xc2-\\xdf][\\x80-\\xbf]",
    "\\xe0[\\xa0-\\xbf][\\x80-\\xbf]",
    "[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}",
    "\\xed[\\x80-\\x9f][\\x80-\\xbf]",
    "\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}",
    "[\\xf1-\\xf3][\\x80-\\xbf]{3}",
    "\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}",
    ".",
  ].join("|"),
  "gs",
);

function escaped(buffer: Buffer, budget: Budget): string {
  spend(budget, buffer.length * 4);
  return buffer.toString("latin1").replace(sequence, (part) => {
    const first = part.charCodeAt(0);
    if (first < 0x80) return part;
    if (part.length > 1 && part !== "\xef\xbf\xbd") return Buffer.from(part, "latin1").toString("utf8");
    return part.replace(/./gs, (byte) => `\ufffd${byte.charCodeAt(0).toString(16)}`);
  });
}

const surrogate = /[\ud800-\udfff]/;

/** Whether positions in the text are those of its code points. */
export function isPlain(text: string): boolean {
  return !surrogate.test(text);
}

/** How many code points a text has. */
export function lengthOf(text: string, budget: Budget): number {
  spendText(budget, text.length << 1);
  if (isPlain(text)) return text.length;
  spend(budget, text.length);
  return [...text].length;
}
