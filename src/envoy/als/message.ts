import { type TextCursor, type Texts, textCursor } from "../text.js";
import { cursorOf, readEnd, readTag, skipValue, WireError } from "../wire.js";
import { type Entry, readHttpEntry, readTcpEntry } from "./entry.js";
import { type Identifier, readIdentifier } from "./identifier.js";

const identifierTag = 0x0a;
const httpLogsTag = 0x12;
const tcpLogsTag = 0x1a;
const logEntryTag = 0x0a;

/**
 * Bytes of an entry or an identifier: a longer one is not read, as that could not be interrupted. Envoy's own stay
 * below, as it takes 60 KiB of headers by default.
 */
const MAX_PART = 256 * 1024;
/** Bytes without a part until reading stops. */
const MAX_SKIPPED = 16 * 1024;

/** What becomes of the parts of a message. */
export interface MessageParts {
  readonly identifier: (identifier: Identifier) => void;
  readonly entry: (entry: Entry) => void;
  /** An entry, or an identifier, is none or longer than 256 KiB; those behind it are read nevertheless. */
  readonly malformed: (error: unknown) => void;
}

/**
 * How many entries a StreamAccessLogsMessage has, without reading them: those in front of the place where it stops
 * being a message. Never throws.
 */
export function countEntries(bytes: Uint8Array): number {
  const cursor = cursorOf(bytes);
  const end = bytes.length;
  let count = 0;
  try {
    while (cursor.at < end) {
      const tag = readTag(cursor, end);
      if (tag !== httpLogsTag && tag !== tcpLogsTag) {
        skipValue(cursor, end, tag);
        continue;
      }
      const logsEnd = readEnd(cursor, end);
      while (cursor.at < logsEnd) {
        const entryTag = readTag(cursor, logsEnd);
        skipValue(cursor, logsEnd, entryTag);
        if (entryTag === logEntryTag) count++;
      }
    }
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
  }
  return count;
}

/** The identifier of a message; undefined where it has none, or none that can be read. Never throws. */
export function findIdentifier(bytes: Uint8Array, texts: Texts): Identifier | undefined {
  const cursor = textCursor(bytes, texts);
  const end = bytes.length;
  try {
    // It is field 1, and so in front.
    if (cursor.at >= end || readTag(cursor, end) !== identifierTag) return undefined;
    const partEnd = readEnd(cursor, end);
    return partEnd - cursor.at > MAX_PART ? undefined : readIdentifier(cursor, partEnd);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return undefined;
  }
}

/**
 * Reads a StreamAccessLogsMessage in portions: its parts in their order, each once. After each part, and now and then
 * where there is none, it stops and gives how many entries it has come past since it stopped last. What the functions
 * of `parts` throw is thrown; WireError when it stops being a message, after the parts in front of that place.
 */
export function* readMessage(
  bytes: Uint8Array,
  texts: Texts,
  parts: MessageParts,
): Generator<number, void, void> {
  const cursor = textCursor(bytes, texts);
  const end = bytes.length;
  /** Whatever was read of it, the next part begins behind it. */
  const part = <T>(partEnd: number, read: (cursor: TextCursor, end: number) => T): T | undefined => {
    try {
      if (partEnd - cursor.at > MAX_PART) throw new WireError(`longer than ${MAX_PART} bytes`);
      return read(cursor, partEnd);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      parts.malformed(error);
      return undefined;
    } finally {
      cursor.at = partEnd;
    }
  };
  let readEntry = readHttpEntry;
  let logsEnd = 0;
  let stopped = 0;
  while (cursor.at < end) {
    let passed: number | undefined;
    if (cursor.at < logsEnd) {
      const tag = readTag(cursor, logsEnd);
      if (tag === logEntryTag) {
        passed = 1;
        const entry = part(readEnd(cursor, logsEnd), readEntry);
        if (entry !== undefined) parts.entry(entry);
      } else skipValue(cursor, logsEnd, tag);
    } else {
      const tag = readTag(cursor, end);
      if (tag === identifierTag) {
        passed = 0;
        const identifier = part(readEnd(cursor, end), readIdentifier);
        if (identifier !== undefined) parts.identifier(identifier);
      } else if (tag === httpLogsTag || tag === tcpLogsTag) {
        readEntry = tag === httpLogsTag ? readHttpEntry : readTcpEntry;
        logsEnd = readEnd(cursor, end);
      } else skipValue(cursor, end, tag);
    }
    if (passed === undefined && cursor.at - stopped < MAX_SKIPPED) continue;
    stopped = cursor.at;
    yield passed ?? 0;
  }
}
