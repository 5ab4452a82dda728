import type { ByteString, JsonObject } from "../../attributes/index.js";
import { lowerAscii } from "../../attributes/index.js";
import { readStruct } from "../read-struct.js";
import { createTexts, readBytes, readText, type TextCursor, type Texts, textCursor } from "../text.js";
import { readEnd, readTag, readVarint, skipValue, WireError } from "../wire.js";
import {
  type BodyMode,
  bodyModes,
  type Direction,
  type HeaderLines,
  type Part,
  type ProcessingMessage,
  type ProtocolConfig,
} from "./message.js";

/** Whose attributes are read. */
const filterName = "envoy.filters.http.ext_proc";

const nothing = new Uint8Array(0);

/** Where in a message something stands that is read when it is asked for. */
type Range = readonly [from: number, to: number];

/**
 * Makes what reads ProcessingRequests; it remembers texts that come again and again. Throws WireError and nothing else,
 * also for a message that has no part or several, or a body mode that nobody knows. Bodies are views of `bytes`.
 * `attributes` and `metadata` throw a WireError where they are none.
 */
export function createMessageReader(): (bytes: Uint8Array) => ProcessingMessage {
  const texts = createTexts();
  return (bytes) => readMessage(bytes, texts);
}

function readMessage(bytes: Uint8Array, texts: Texts): ProcessingMessage {
  const cursor = textCursor(bytes, texts);
  const end = bytes.length;
  let part: Part | undefined;
  let observabilityMode = false;
  let protocolConfig: ProtocolConfig | undefined;
  let metadata: Range[] | undefined;
  let attributes: Range[] | undefined;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    switch (tag) {
      case 18:
      case 26:
      case 34:
      case 42:
      case 50:
      case 58:
        if (part !== undefined) throw new WireError("processing request has several parts");
        part = readPart(cursor, readEnd(cursor, end), tag >>> 3);
        break;
      case 66:
        metadata ??= [];
        metadata.push(skipRange(cursor, end));
        break;
      case 74:
        attributes ??= [];
        attributes.push(skipRange(cursor, end));
        break;
      case 80:
        observabilityMode = readBool(cursor, end);
        break;
      case 90:
        protocolConfig = readProtocolConfig(cursor, readEnd(cursor, end), protocolConfig);
        break;
      default:
        skipValue(cursor, end, tag);
    }
  }
  if (part === undefined) throw new WireError("processing request has no part");
  return {
    part,
    observabilityMode,
    protocolConfig,
    attributes: () => entryOf(bytes, texts, attributes, filterName) ?? {},
    metadata: (namespace) => metadataOf(bytes, texts, metadata, namespace),
  };
}

/** By the field's number: headers 2 and 3, bodies 4 and 5, trailers 6 and 7. */
function readPart(cursor: TextCursor, end: number, field: number): Part {
  const direction: Direction = field % 2 === 0 ? "request" : "response";
  if (field < 4) return readHeaders(cursor, end, direction);
  if (field < 6) return readBody(cursor, end, direction);
  const trailers = new Map<string, ByteString[]>();
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) readLines(cursor, readEnd(cursor, end), trailers);
    else skipValue(cursor, end, tag);
  }
  return { kind: "trailers", direction, trailers };
}

function readHeaders(cursor: TextCursor, end: number, direction: Direction): Part {
  const headers = new Map<string, ByteString[]>();
  let endOfStream = false;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) readLines(cursor, readEnd(cursor, end), headers);
    else if (tag === 0x18) endOfStream = readBool(cursor, end);
    else skipValue(cursor, end, tag);
  }
  return { kind: "headers", direction, headers: headers satisfies HeaderLines, endOfStream };
}

function readLines(cursor: TextCursor, end: number, lines: Map<string, ByteString[]>): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) readLine(cursor, readEnd(cursor, end), lines);
    else skipValue(cursor, end, tag);
  }
}

/** `raw_value` stands in for `value`, which Envoy leaves empty then. */
function readLine(cursor: TextCursor, end: number, lines: Map<string, ByteString[]>): void {
  let name = "";
  let value = "";
  let raw = "";
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) name = readBytes(cursor, end);
    else if (tag === 0x12) value = readBytes(cursor, end);
    else if (tag === 0x1a) raw = readBytes(cursor, end);
    else skipValue(cursor, end, tag);
  }
  name = lowerAscii(name);
  const known = lines.get(name);
  if (known === undefined) lines.set(name, [raw === "" ? value : raw]);
  else known.push(raw === "" ? value : raw);
}

function readBody(cursor: TextCursor, end: number, direction: Direction): Part {
  let body: Uint8Array = nothing;
  let endOfStream = false;
  let withoutMessage = false;
  let compressed = false;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) {
      const [from, to] = skipRange(cursor, end);
      body = from === to ? nothing : cursor.bytes.subarray(from, to);
    } else if (tag === 0x10) endOfStream = readBool(cursor, end);
    else if (tag === 0x18) withoutMessage = readBool(cursor, end);
    else if (tag === 0x20) compressed = readBool(cursor, end);
    else skipValue(cursor, end, tag);
  }
  return { kind: "body", direction, body, endOfStream, withoutMessage, compressed };
}

function readProtocolConfig(
  cursor: TextCursor,
  end: number,
  before: ProtocolConfig | undefined,
): ProtocolConfig {
  let requestBodyMode = before?.requestBodyMode ?? "NONE";
  let responseBodyMode = before?.responseBodyMode ?? "NONE";
  let sendsBodyEarly = before?.sendsBodyEarly ?? false;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x08) requestBodyMode = readMode(cursor, end);
    else if (tag === 0x10) responseBodyMode = readMode(cursor, end);
    else if (tag === 0x18) sendsBodyEarly = readBool(cursor, end);
    else skipValue(cursor, end, tag);
  }
  return { requestBodyMode, responseBodyMode, sendsBodyEarly };
}

function readMode(cursor: TextCursor, end: number): BodyMode {
  const mode = bodyModes[readVarint(cursor, end)];
  if (mode === undefined || cursor.high !== 0) throw new WireError("unknown body mode");
  return mode;
}

function readBool(cursor: TextCursor, end: number): boolean {
  return readVarint(cursor, end) !== 0 || cursor.high !== 0;
}

/** Goes past a length-delimited field. */
function skipRange(cursor: TextCursor, outerEnd: number): Range {
  const end = readEnd(cursor, outerEnd);
  const from = cursor.at;
  cursor.at = end;
  return [from, end];
}

/** `Metadata.filter_metadata` of a namespace. */
function metadataOf(
  bytes: Uint8Array,
  texts: Texts,
  messages: readonly Range[] | undefined,
  namespace: string,
): JsonObject | undefined {
  if (messages === undefined) return undefined;
  const entries: Range[] = [];
  const cursor = textCursor(bytes, texts);
  for (const [from, to] of messages) {
    cursor.at = from;
    while (cursor.at < to) {
      const tag = readTag(cursor, to);
      if (tag === 0x0a) entries.push(skipRange(cursor, to));
      else skipValue(cursor, to, tag);
    }
  }
  return entryOf(bytes, texts, entries, namespace);
}

/** Of a map of Structs the value with this key; the last one counts, as in every map of protobuf. */
function entryOf(
  bytes: Uint8Array,
  texts: Texts,
  entries: readonly Range[] | undefined,
  wanted: string,
): JsonObject | undefined {
  if (entries === undefined) return undefined;
  const cursor = textCursor(bytes, texts);
  for (let index = entries.length - 1; index >= 0; index--) {
    const [from, to] = entries[index] as Range;
    cursor.at = from;
    let key = "";
    let value: Range | undefined;
    while (cursor.at < to) {
      const tag = readTag(cursor, to);
      if (tag === 0x0a) key = readText(cursor, to);
      else if (tag === 0x12) value = skipRange(cursor, to);
      else skipValue(cursor, to, tag);
    }
    if (key !== wanted) continue;
    if (value === undefined) return {};
    cursor.at = value[0];
    return readStruct(cursor, value[1]);
  }
  return undefined;
}
