import { Buffer } from "node:buffer";
import { wellFormed } from "../../attributes/index.js";

/**
 * Writes protobuf from its end to its start: the length of what stands inside of something is known when it is due, so
 * nothing is measured beforehand.
 */
export interface ReverseWriter {
  buffer: Buffer;
  /** Where the bytes begin that were written last. */
  at: number;
}

/** A writer that is used again and again: `startWriting`, then `written`. */
export function createReverseWriter(): ReverseWriter {
  const buffer = Buffer.allocUnsafeSlow(initialSize);
  return { buffer, at: buffer.length };
}

const initialSize = 16 * 1024;
/** What a larger message needed is given back afterwards. */
const maxKept = 256 * 1024;

/** Begins a message. */
export function startWriting(writer: ReverseWriter): void {
  if (writer.buffer.length > maxKept) writer.buffer = Buffer.allocUnsafeSlow(initialSize);
  writer.at = writer.buffer.length;
}

/** A copy of what was written since `startWriting`. */
export function written({ buffer, at }: ReverseWriter): Uint8Array {
  const bytes = Buffer.allocUnsafe(buffer.length - at);
  buffer.copy(bytes, 0, at);
  return bytes;
}

/** How many bytes were written so far; given to `wrap` by who opened what it closes. */
export function mark({ buffer, at }: ReverseWriter): number {
  return buffer.length - at;
}

/** Puts the tag (`number * 8 + type`) and the length of what was written since `mark` in front of it. */
export function wrap(writer: ReverseWriter, tag: number, since: number): void {
  writeVarint(writer, mark(writer) - since);
  writeVarint(writer, tag);
}

/** A number that is not negative and below 2^32. */
export function writeVarint(writer: ReverseWriter, value: number): void {
  reserve(writer, 5);
  const { buffer } = writer;
  if (value < 0x80) {
    writer.at -= 1;
    buffer[writer.at] = value;
    return;
  }
  let size = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) size += 1;
  writer.at -= size;
  let rest = value;
  let index = writer.at;
  while (rest > 0x7f) {
    buffer[index++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[index] = rest;
}

/** A field of type varint. */
export function writeNumber(writer: ReverseWriter, tag: number, value: number): void {
  writeVarint(writer, value);
  writeVarint(writer, tag);
}

/** A field of type bytes. */
export function writeBytes(writer: ReverseWriter, tag: number, bytes: Uint8Array): void {
  reserve(writer, bytes.length);
  writer.at -= bytes.length;
  writer.buffer.set(bytes, writer.at);
  writeVarint(writer, bytes.length);
  writeVarint(writer, tag);
}

/** What is shorter is written by the character: a call into the runtime takes longer (measured). */
const maxShort = 48;

/** A field of bytes, one a character. */
export function writeLatin1(writer: ReverseWriter, tag: number, text: string): void {
  if (!writeShort(writer, text, 0xff)) {
    reserve(writer, text.length);
    writer.at -= text.length;
    writer.buffer.write(text, writer.at, "latin1");
  }
  writeVarint(writer, text.length);
  writeVarint(writer, tag);
}

/** A field of text in UTF-8, U+FFFD for each half of a character. */
export function writeText(writer: ReverseWriter, tag: number, text: string): void {
  let { length } = text;
  if (!writeShort(writer, text, 0x7f)) {
    const known = wellFormed(text);
    length = Buffer.byteLength(known);
    reserve(writer, length);
    writer.at -= length;
    writer.buffer.write(known, writer.at, "utf8");
  }
  writeVarint(writer, length);
  writeVarint(writer, tag);
}

/** False, and nothing is changed, where the text is long or has a character above `max`. */
function writeShort(writer: ReverseWriter, text: string, max: number): boolean {
  const { length } = text;
  if (length > maxShort) return false;
  reserve(writer, length);
  const { buffer } = writer;
  let { at } = writer;
  for (let index = length - 1; index >= 0; index--) {
    const code = text.charCodeAt(index);
    if (code > max) return false;
    at -= 1;
    buffer[at] = code;
  }
  writer.at = at;
  return true;
}

/** A field of type double. */
export function writeDouble(writer: ReverseWriter, tag: number, value: number): void {
  reserve(writer, 8);
  writer.at -= 8;
  writer.buffer.writeDoubleLE(value, writer.at);
  writeVarint(writer, tag);
}

/** Makes room in front. */
function reserve(writer: ReverseWriter, count: number): void {
  if (count <= writer.at) return;
  const { buffer, at } = writer;
  const used = buffer.length - at;
  const larger = Buffer.allocUnsafeSlow(Math.max(2 * buffer.length, used + count + 1024));
  buffer.copy(larger, larger.length - used, at);
  writer.buffer = larger;
  writer.at = larger.length - used;
}
