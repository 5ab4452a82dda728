import type { JsonObject, JsonValue } from "../attributes/index.js";
import { readText, type TextCursor } from "./text.js";
import { readDouble, readEnd, readTag, readVarint, skipValue, WireError } from "./wire.js";

/** Objects and lists inside each other. Envoy's own limit of messages is 100, and an object takes two of them. */
const maxDepth = 64;

/** google.protobuf.Struct as a JSON object, whatever its members are called. */
export function readStruct(cursor: TextCursor, end: number, depth = 0): JsonObject {
  if (depth > maxDepth) throw new WireError("struct is nested too deeply");
  const object: Record<string, JsonValue> = {};
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) readMember(cursor, readEnd(cursor, end), object, depth);
    else skipValue(cursor, end, tag);
  }
  return object;
}

function readMember(cursor: TextCursor, end: number, object: Record<string, JsonValue>, depth: number): void {
  let name = "";
  let value: JsonValue = null;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) name = readText(cursor, end);
    else if (tag === 0x12) value = readValue(cursor, readEnd(cursor, end), depth);
    else skipValue(cursor, end, tag);
  }
  // An assignment to this name would set the object's prototype.
  if (name !== "__proto__") object[name] = value;
  else Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

/** google.protobuf.Value as JSON; what is not set is null. */
export function readValue(cursor: TextCursor, end: number, depth: number): JsonValue {
  let value: JsonValue = null;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x1a) value = readText(cursor, end);
    else if (tag === 0x11) value = readDouble(cursor, end);
    else if (tag === 0x20) value = readVarint(cursor, end) !== 0 || cursor.high !== 0;
    else if (tag === 0x2a) value = readStruct(cursor, readEnd(cursor, end), depth + 1);
    else if (tag === 0x32) value = readList(cursor, readEnd(cursor, end), depth + 1);
    else {
      if (tag === 0x08) value = null;
      skipValue(cursor, end, tag);
    }
  }
  return value;
}

function readList(cursor: TextCursor, end: number, depth: number): JsonValue {
  if (depth > maxDepth) throw new WireError("list is nested too deeply");
  const list: JsonValue[] = [];
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === 0x0a) list.push(readValue(cursor, readEnd(cursor, end), depth));
    else skipValue(cursor, end, tag);
  }
  return list;
}
