import { cursorOf, readEnd, readTag, skipValue, WireError } from "../wire.js";
import { type Entry, readHttpEntry, readTcpEntry } from "./entry.js";
import { type Identifier, readIdentifier } from "./identifier.js";
import { type Texts, textCursor } from "./text.js";

const identifierTag = 0x0a;
const httpLogsTag = 0x12;
const tcpLogsTag = 0x1a;
const logEntryTag = 0x0a;

/** What becomes of the parts of a message. */
export interface MessageParts {
  readonly identifier: (identifier: Identifier) => void;
  readonly entry: (entry: Entry) => void;
  /** An entry, or an identifier, is none; those behind it are read nevertheless. */
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
    return cursor.at < end && readTag(cursor, end) === identifierTag
      ? readIdentifier(cursor, readEnd(cursor, end))
      : undefined;
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return undefined;
  }
}

/**
 * Reads a StreamAccessLogsMessage: its parts in their order, each once. What the functions of `parts` throw is
 * thrown; WireError when it stops being a message, after the parts in front of that place.
 */
export function readMessage(bytes: Uint8Array, texts: Texts, parts: MessageParts): void {
  const cursor = textCursor(bytes, texts);
  const end = bytes.length;
  /** Whatever was read of it, the next part begins behind it. */
  const part = <T>(partEnd: number, read: (partEnd: number) => T): T | undefined => {
    try {
      return read(partEnd);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      parts.malformed(error);
      return undefined;
    } finally {
      cursor.at = partEnd;
    }
  };
  const identify = (partEnd: number): Identifier => readIdentifier(cursor, partEnd);
  const http = (partEnd: number): Entry => readHttpEntry(cursor, partEnd);
  const tcp = (partEnd: number): Entry => readTcpEntry(cursor, partEnd);
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === identifierTag) {
      const identifier = part(readEnd(cursor, end), identify);
      if (identifier !== undefined) parts.identifier(identifier);
    } else if (tag === httpLogsTag || tag === tcpLogsTag) {
      const read = tag === httpLogsTag ? http : tcp;
      const logsEnd = readEnd(cursor, end);
      while (cursor.at < logsEnd) {
        const entryTag = readTag(cursor, logsEnd);
        if (entryTag === logEntryTag) {
          const entry = part(readEnd(cursor, logsEnd), read);
          if (entry !== undefined) parts.entry(entry);
        } else skipValue(cursor, logsEnd, entryTag);
      }
    } else skipValue(cursor, end, tag);
  }
}
