import { type JsonObject, type JsonValue, member } from "../../attributes/index.js";
import { readValue } from "../read-struct.js";
import { readText, type TextCursor } from "../text.js";
import { readEnd, readTag, skipValue } from "../wire.js";

/** What a stream says of its sender, of `StreamAccessLogsMessage.Identifier`. */
export interface Identifier {
  readonly id: string;
  readonly cluster: string;
  readonly logName: string;
  /** The members of the node's metadata that say which workload it is. */
  readonly metadata: JsonObject;
}

/** As Istio's agent writes them; all else of the metadata is gone past. */
const wanted: ReadonlySet<string> = new Set([
  "NAMESPACE",
  "WORKLOAD_NAME",
  "LABELS",
  "CANONICAL_SERVICE",
  "CANONICAL_REVISION",
  "CLUSTER_ID",
]);

/** Reads an Identifier; the node's list of extensions (80 KB) is never decoded. */
export function readIdentifier(cursor: TextCursor, end: number): Identifier {
  const metadata: Record<string, JsonValue> = {};
  const identifier = { id: "", cluster: "", logName: "", metadata };
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) readNode(cursor, readEnd(cursor, end), identifier);
    else if (tag === 0x12) identifier.logName = readText(cursor, end);
    else skipValue(cursor, end, tag);
  }
  return identifier;
}

function readNode(
  cursor: TextCursor,
  end: number,
  identifier: { id: string; cluster: string; metadata: Record<string, JsonValue> },
): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) identifier.id = readText(cursor, end);
    else if (tag === 0x12) identifier.cluster = readText(cursor, end);
    else if (tag === 0x1a) readMetadata(cursor, readEnd(cursor, end), identifier.metadata);
    else skipValue(cursor, end, tag);
  }
}

function readMetadata(cursor: TextCursor, end: number, metadata: Record<string, JsonValue>): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) readMember(cursor, readEnd(cursor, end), metadata);
    else skipValue(cursor, end, tag);
  }
}

/** Maps are written with the key in front, so that an unwanted value need not be decoded. */
function readMember(cursor: TextCursor, end: number, metadata: Record<string, JsonValue>): void {
  let name = "";
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) name = readText(cursor, end);
    else if (tag === 0x12 && wanted.has(name)) metadata[name] = readValue(cursor, readEnd(cursor, end), 0);
    else skipValue(cursor, end, tag);
  }
}

/** A text of the metadata, empty where it has none of this name. */
export function textOf(metadata: JsonObject, name: string): string {
  const value = member(metadata, name);
  return typeof value === "string" ? value : "";
}
