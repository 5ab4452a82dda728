import { createHmac, type Hmac } from "node:crypto";
import { type ByteString, toBytes } from "../attributes/index.js";
import { formatPath } from "./json-path.js";
import { createAligner, encodeString, ownText } from "./json-string.js";
import type { FieldRule } from "./rules.js";
import type { TextScanner } from "./transform.js";

/**
 * Takes the text of a value piece by piece, and gives the JSON that stands in its place. Whole characters
 * only.
 */
export interface ValueWriter {
  /** `raw`: how the piece was written. */
  push(text: ByteString, raw: ByteString): ByteString;
  end(): ByteString;
}

/** What stands in place of values under one rule. */
export interface ValueAction {
  readonly isRemove: boolean;
  /** Of a string or number; its text. */
  text(): ValueWriter;
  /** What `text` writes for a text that is whole, and was written without escapes. */
  textOf(plain: ByteString): ByteString;
  /** Of an array, object, true, false or null: of its canonical JSON. */
  whole(): ValueWriter;
  /** `whole` reads what it is given. */
  readonly readsWhole: boolean;
}

/** Characters that stand for a masked value that has no text. */
const maskLength = 4;

/** Of longer texts a part is kept as a copy. */
const maxKept = 256;

/** Bytes that are hashed at once. */
const hashBlock = 4_096;

/** Throws without a key where the action needs one: a fault of ours. */
export function compileAction(rule: FieldRule, key: Uint8Array | undefined): ValueAction {
  const { action } = rule;
  switch (action.kind) {
    case "remove":
      return {
        isRemove: true,
        textOf: () => "null",
        text: () => fixedWriter("null"),
        whole: () => fixedWriter("null"),
        readsWhole: false,
      };
    case "mask": {
      const { keepFirst, keepLast, replacement } = action;
      const mask = encodeString(toBytes(action.character));
      const inPlace = `"${encodeString(toBytes(replacement ?? action.character.repeat(maskLength)))}"`;
      const text = () =>
        replacement === undefined ? maskWriter(keepFirst, keepLast, mask) : fixedWriter(inPlace);
      return {
        isRemove: false,
        text,
        textOf: replacement === undefined ? maskOf(keepFirst, keepLast, mask) : () => inPlace,
        whole: () => fixedWriter(inPlace),
        readsWhole: false,
      };
    }
    case "hash":
    case "tokenise": {
      if (key === undefined) throw new Error(`field rule \`${rule.name}\` needs a key`);
      const path = `${toBytes(formatPath(rule.path))}\0`;
      const writer =
        action.kind === "hash"
          ? () => hashWriter(createHmac("sha256", key), (hmac) => hmac.digest("hex").slice(0, 32))
          : () => {
              const hmac = createHmac("sha256", key).update(path, "latin1");
              return hashWriter(hmac, (done) => `tok_${done.digest().toString("base64url", 0, 16)}`);
            };
      const textOf = (text: ByteString) => writeAll(writer(), text);
      return { isRemove: false, text: writer, textOf, whole: writer, readsWhole: true };
    }
  }
}

function writeAll(writer: ValueWriter, text: ByteString): ByteString {
  const first = writer.push(text, text);
  return first + writer.end();
}

function fixedWriter(json: ByteString): ValueWriter {
  return { push: () => "", end: () => json };
}

/**
 * Keeps characters (code points) at the ends where they are no more than half of the text, otherwise none.
 * Holds the text only while that is open, then the last ones.
 */
function maskWriter(keepFirst: number, keepLast: number, mask: ByteString): ValueWriter {
  const shortest = 2 * (keepFirst + keepLast);
  let held = "";
  let heldCount = 0;
  let shows = false;
  return {
    push(text) {
      held += text;
      heldCount += characters(text);
      let out = "";
      if (!shows) {
        if (heldCount < shortest) return "";
        shows = true;
        const first = offsetOf(held, keepFirst);
        out = `"${encodeString(held.slice(0, first))}`;
        held = held.slice(first);
        heldCount -= keepFirst;
      }
      const masked = heldCount - keepLast;
      if (masked <= 0) return out;
      const last = held.slice(offsetOf(held, masked));
      held = text.length > maxKept ? ownText(last) : last;
      heldCount = keepLast;
      return out + mask.repeat(masked);
    },
    end: () => (shows ? `${encodeString(held)}"` : `"${mask.repeat(heldCount)}"`),
  };
}

/** Begins a character of UTF-8. */
function begins(byte: number): boolean {
  return (byte & 0xc0) !== 0x80;
}

/** What `maskWriter` writes for a text that is whole, and was written without escapes. */
function maskOf(keepFirst: number, keepLast: number, mask: ByteString): (plain: ByteString) => ByteString {
  const shortest = 2 * (keepFirst + keepLast);
  const rows: string[] = [];
  const row = (length: number): string => {
    if (length >= 64) return mask.repeat(length);
    while (rows.length <= length) rows.push(mask.repeat(rows.length));
    return rows[length] as string;
  };
  return (plain) => {
    const count = characters(plain);
    if (count < shortest) return `"${row(count)}"`;
    const isAscii = count === plain.length;
    const first = isAscii ? keepFirst : offsetOf(plain, keepFirst);
    const last = isAscii ? count - keepLast : offsetOf(plain, count - keepLast);
    return `"${plain.slice(0, first)}${row(count - keepFirst - keepLast)}${plain.slice(last)}"`;
  };
}

function characters(text: ByteString): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) if (begins(text.charCodeAt(at))) count++;
  return count;
}

/** Where the character with this number begins. */
function offsetOf(text: ByteString, character: number): number {
  let left = character;
  for (let at = 0; at < text.length; at++) if (begins(text.charCodeAt(at)) && left-- === 0) return at;
  return text.length;
}

function hashWriter(hmac: Hmac, finish: (hmac: Hmac) => string): ValueWriter {
  let waiting = "";
  return {
    push(text) {
      waiting += text;
      if (waiting.length < hashBlock) return "";
      hmac.update(waiting, "latin1");
      waiting = "";
      return "";
    },
    end: () => `"${finish(hmac.update(waiting, "latin1"))}"`,
  };
}

/** The inside of a string as the scanner leaves it: see {@link createAligner}. */
export function scanWriter(scanner: TextScanner): ValueWriter {
  const aligner = createAligner();
  return {
    push(text, raw) {
      aligner.source(text, raw);
      return aligner.target(scanner.push(text));
    },
    end() {
      const last = aligner.target(scanner.end());
      return last + aligner.end();
    },
  };
}
