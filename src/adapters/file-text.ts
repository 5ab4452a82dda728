import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { codeOf, describeFile, type Found } from "./directory-scan.js";

/** A file as it was when it was read. */
export interface FileText extends Found {
  /** The file may have changed since without a new signature. */
  readonly young: boolean;
  readonly text: string | undefined;
  readonly fault: FileFault | undefined;
}

/** Why there is no text; the message follows the file's name and holds nothing of its content. */
export interface FileFault {
  readonly reason: "too_large" | "not_text" | "unreadable";
  readonly message: string;
}

/** A file changed so recently may change again without its time showing it. */
const YOUNG_MS = 2000;

/** How a file is read. */
export interface FileReading {
  readonly maxBytes: number;
  /** Links are resolved in the path already: there is none at its end. */
  readonly isResolved?: true;
  /** What the text is made of the bytes; `utf8` when absent. */
  readonly encoding?: "utf8" | "base64";
}

/**
 * Reads the file that was found and no other that has taken its place since, unless `old` is known to be what is
 * there. Never waits, as opening a pipe would.
 */
export function readFileText(found: Found, old: FileText | undefined, reading: FileReading): FileText {
  if (old?.signature === found.signature && !old.young) return old;
  const seen = { ...found, young: Date.now() - found.changedMs < YOUNG_MS };
  try {
    const bytes = readFound(found, reading);
    if (!Buffer.isBuffer(bytes)) return { ...seen, young: true, text: undefined, fault: bytes };
    const text =
      reading.encoding === "base64"
        ? bytes.toString("base64")
        : new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // The same string object tells everyone behind that nothing changed.
    return { ...seen, text: text === old?.text ? old.text : text, fault: undefined };
  } catch (error) {
    if (error instanceof TypeError) {
      return { ...seen, text: undefined, fault: { reason: "not_text", message: "is not UTF-8 text" } };
    }
    const message = `cannot be read (${codeOf(error)})`;
    return { ...seen, text: undefined, fault: { reason: "unreadable", message } };
  }
}

const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;

function readFound({ path, identity }: Found, { maxBytes, isResolved }: FileReading): Buffer | FileFault {
  const descriptor = openSync(path, O_RDONLY | O_NONBLOCK | (isResolved ? O_NOFOLLOW : 0));
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile() || describeFile(path, stats).identity !== identity) {
      return { reason: "unreadable", message: "was exchanged while it was read" };
    }
    if (stats.size > maxBytes) return tooLarge(stats.size, maxBytes);
    const bytes = readFileSync(descriptor);
    return bytes.length > maxBytes ? tooLarge(bytes.length, maxBytes) : bytes;
  } finally {
    closeSync(descriptor);
  }
}

function tooLarge(size: number, maxBytes: number): FileFault {
  return { reason: "too_large", message: `has ${size} bytes, expected at most ${maxBytes}` };
}
