import { Buffer, isUtf8 } from "node:buffer";

/** Bytes are no message; in the words of protobuf for Go, which operators know. */
export class WireError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "WireError";
  }
}

/** A place in bytes that are read. `high`: the upper 32 bits of the varint that was read last. */
export interface Cursor {
  readonly bytes: Buffer;
  at: number;
  high: number;
}

/** The largest numbers of a field: in a message, and, for Go, inside of a group that nobody knows. */
const maxField = 2 ** 29 - 1;
const maxFieldInGroup = 2 ** 31 - 1;
/** Groups inside each other, as many as Go reads. */
const maxGroups = 10_001;
/** What is shorter is put together by the byte: a call into the runtime takes longer (measured). */
const maxShort = 24;

const varint = 0;
const fixed64 = 1;
const lengthDelimited = 2;
const startGroup = 3;
const endGroup = 4;
const fixed32 = 5;

/** At the first byte. */
export function cursorOf(bytes: Uint8Array): Cursor {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { bytes: buffer, at: 0, high: 0 };
}

/** A field's number and wire type as they stand on the wire: `number * 8 + type`. */
export function readTag(cursor: Cursor, end: number, max: number = maxField): number {
  const { bytes, at } = cursor;
  if (at + 1 < end) {
    // Nearly all tags have one byte or two (measured: the general way takes three times as long).
    const byte = bytes[at] as number;
    if (byte < 0x80) {
      if (byte < 8) throw malformed();
      cursor.at = at + 1;
      return byte;
    }
    const next = bytes[at + 1] as number;
    if (next < 0x80 && next > 0) {
      cursor.at = at + 2;
      return (byte & 0x7f) | (next << 7);
    }
  }
  const low = readVarint(cursor, end);
  const tag = cursor.high * 2 ** 32 + low;
  const number = Math.floor(tag / 8);
  if (number === 0 || number > max) throw malformed();
  return tag;
}

/** The lower 32 bits of a varint; `cursor.high` has the others. */
export function readVarint(cursor: Cursor, end: number): number {
  const { bytes } = cursor;
  let byte = nextByte(cursor, end);
  if (byte < 0x80) {
    cursor.high = 0;
    return byte;
  }
  let low = byte & 0x7f;
  let high = 0;
  for (let shift = 7; shift < 70; shift += 7) {
    if (cursor.at >= end) throw malformed();
    byte = bytes[cursor.at++] as number;
    const bits = byte & 0x7f;
    if (shift < 32) low |= bits << shift;
    if (shift === 28) high = bits >>> 4;
    else if (shift > 28) high |= bits << (shift - 32);
    if (byte >= 0x80) continue;
    // The tenth byte has room for the 64th bit only.
    if (shift === 63 && byte > 1) break;
    cursor.high = high >>> 0;
    return low >>> 0;
  }
  throw malformed();
}

/** An integer without sign; beyond 2^53 the nearest number. */
export function readInteger(cursor: Cursor, end: number): number {
  const low = readVarint(cursor, end);
  return cursor.high === 0 ? low : cursor.high * 2 ** 32 + low;
}

/** A double. */
export function readDouble(cursor: Cursor, end: number): number {
  const { bytes, at } = cursor;
  advance(cursor, end, 8);
  return bytes.readDoubleLE(at);
}

/** Where the length-delimited field ends whose length stands at the cursor. */
export function readEnd(cursor: Cursor, end: number): number {
  const { bytes, at } = cursor;
  if (at < end) {
    const short = bytes[at] as number;
    if (short < 0x80) {
      if (short > end - at - 1) throw malformed();
      cursor.at = at + 1;
      return at + 1 + short;
    }
  }
  const length = readVarint(cursor, end);
  if (cursor.high !== 0 || length > end - cursor.at) throw malformed();
  return cursor.at + length;
}

/** A string, which is UTF-8 or an error. */
export function readString(cursor: Cursor, outerEnd: number): string {
  const end = readEnd(cursor, outerEnd);
  const { bytes, at } = cursor;
  cursor.at = end;
  if (end - at <= maxShort) {
    let text = "";
    let index = at;
    for (; index < end; index++) {
      const byte = bytes[index] as number;
      if (byte >= 0x80) break;
      text += String.fromCharCode(byte);
    }
    if (index === end) return text;
  }
  if (!isUtf8(bytes.subarray(at, end))) throw new WireError("string field contains invalid UTF-8");
  return bytes.toString("utf8", at, end);
}

/** Goes past the value of a field that nobody knows. */
export function skipValue(cursor: Cursor, end: number, tag: number): void {
  if (tag % 8 === startGroup) skipGroup(cursor, end, tag);
  else skipPlain(cursor, end, tag % 8);
}

function skipPlain(cursor: Cursor, end: number, type: number): void {
  if (type === varint) readVarint(cursor, end);
  else if (type === lengthDelimited) cursor.at = readEnd(cursor, end);
  else if (type === fixed32) advance(cursor, end, 4);
  else if (type === fixed64) advance(cursor, end, 8);
  else throw malformed();
}

/** By a list of the open groups instead of by recursion: their depth is the caller's choice. */
function skipGroup(cursor: Cursor, end: number, start: number): void {
  const open = [start];
  while (open.length > 0) {
    const tag = readTag(cursor, end, maxFieldInGroup);
    const type = tag % 8;
    if (type === endGroup) {
      if (open.pop() !== tag - endGroup + startGroup) throw malformed();
    } else if (type === startGroup) {
      open.push(tag);
      if (open.length > maxGroups) throw malformed();
    } else {
      skipPlain(cursor, end, type);
    }
  }
}

function nextByte(cursor: Cursor, end: number): number {
  if (cursor.at >= end) throw malformed();
  return cursor.bytes[cursor.at++] as number;
}

function advance(cursor: Cursor, end: number, count: number): void {
  if (count > end - cursor.at) throw malformed();
  cursor.at += count;
}

function malformed(): WireError {
  return new WireError("proto: cannot parse invalid wire-format data");
}
