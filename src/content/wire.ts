import { type Buffer, isUtf8 } from "node:buffer";
import { ContentError } from "./error.js";
import { bufferOf } from "./text.js";

/** Bytes of a protobuf message, and the place in them that was read up to. Whoever reads goes behind what was read. */
export interface Source {
  readonly bytes: Buffer;
  /** The same as a string whose characters are bytes. */
  readonly latin1: string;
  at: number;
  /** The upper 32 bits of the last variable-length integer; its function gives the lower. */
  high: number;
}

/** Bytes `start` to `end` of a source. */
export interface Span {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

/** Of bytes that are not changed while it is used. */
export function sourceOf(bytes: Uint8Array): Source {
  const buffer = bufferOf(bytes);
  return { bytes: buffer, latin1: buffer.toString("latin1"), at: 0, high: 0 };
}

/** A copy of what was a view. */
export function bytesOf({ source, start, end }: Span): Buffer {
  return source.bytes.subarray(start, end);
}

/** A variable-length integer: its lower 32 bits, unsigned. */
export function varint(source: Source, end: number): number {
  const { bytes } = source;
  let at = source.at;
  const first = at < end ? (bytes[at++] as number) : cut();
  source.high = 0;
  if (first < 0x80) {
    source.at = at;
    return first;
  }
  let low = first & 0x7f;
  let high = 0;
  for (let shift = 7; ; shift += 7) {
    const byte = at < end ? (bytes[at++] as number) : cut();
    if (shift < 28) low |= (byte & 0x7f) << shift;
    else if (shift === 28) {
      low |= byte << 28;
      high = (byte & 0x7f) >>> 4;
    } else if (shift < 63) high |= (byte & 0x7f) << (shift - 32);
    else {
      if (byte > 1) throw malformed();
      high |= byte << 31;
    }
    if (byte < 0x80) break;
  }
  source.at = at;
  source.high = high >>> 0;
  return low >>> 0;
}

/** Where the length-delimited bytes end that begin at the cursor, behind their length. */
export function lengthEnd(source: Source, end: number): number {
  const length = varint(source, end);
  if (source.high !== 0 || length > end - source.at) cut();
  return source.at + length;
}

/** Behind `size` bytes. */
export function advance(source: Source, size: number, end: number): number {
  const start = source.at;
  if (size > end - start) cut();
  source.at = start + size;
  return start;
}

/** Wire types. */
export const wire = { varint: 0, fixed64: 1, bytes: 2, groupStart: 3, groupEnd: 4, fixed32: 5 } as const;

/** Groups in groups beyond which bytes are refused. */
const maxGroups = 100;

/** Goes behind the value of a field that is not known. */
export function skipValue(source: Source, tag: number, end: number): void {
  const type = tag & 7;
  if (type === wire.varint) varint(source, end);
  else if (type === wire.fixed64) advance(source, 8, end);
  else if (type === wire.bytes) source.at = lengthEnd(source, end);
  else if (type === wire.fixed32) advance(source, 4, end);
  else if (type === wire.groupStart) skipGroup(source, tag, end);
  else throw malformed();
}

/** Goes behind a group, whose first tag was read; gives where its content ends. */
export function skipGroup(source: Source, tag: number, end: number): number {
  const open = [tag >>> 3];
  for (;;) {
    const before = source.at;
    const next = fieldTag(source, end);
    if ((next & 7) === wire.groupStart) {
      if (open.length >= maxGroups) throw new ContentError("too_deep", "protobuf groups are nested too deep");
      open.push(next >>> 3);
    } else if ((next & 7) === wire.groupEnd) {
      if (open.pop() !== next >>> 3) throw malformed();
      if (open.length === 0) return before;
    } else skipValue(source, next, end);
  }
}

/** A field's number and wire type. */
export function fieldTag(source: Source, end: number): number {
  const tag = varint(source, end);
  if (source.high !== 0 || tag < 8) throw malformed();
  return tag;
}

/** By byte: 1 when a JSON string must escape it, or when it is no ASCII. */
const special = new Uint8Array(256).fill(1, 0x80).fill(1, 0, 0x20);
special[0x22] = 1;
special[0x5c] = 1;

/** The JSON text of a string. Throws `bad_message` for bytes that are not UTF-8, as Go's proto.Unmarshal. */
export function quoted(source: Source, start: number, end: number): string {
  const { bytes } = source;
  for (let at = start; at < end; at++) {
    if (special[bytes[at] as number] === 1) return escaped(bytes.subarray(start, end));
  }
  return `"${source.latin1.slice(start, end)}"`;
}

function escaped(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new ContentError("bad_message", "protobuf string is not utf-8");
  return JSON.stringify(bytes.toString());
}

function cut(): never {
  throw new ContentError("bad_message", "protobuf message is cut off");
}

function malformed(): ContentError {
  return new ContentError("bad_message", "protobuf message is malformed");
}
