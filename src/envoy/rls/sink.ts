import { Buffer } from "node:buffer";

/**
 * Bytes of a message, written from its end to its beginning: so the length of what is inside is known when
 * the field around it is written, and nothing has to be measured first. The last `size` bytes are the
 * message.
 */
export interface Sink {
  bytes: Buffer;
  size: number;
}

/** Characters that are written one by one. */
const maxShort = 24;

/** An empty one, with room for so many bytes; it grows. */
export function createSink(room: number): Sink {
  return { bytes: Buffer.allocUnsafe(room), size: 0 };
}

/** What was written. */
export function written({ bytes, size }: Sink): Buffer {
  return bytes.subarray(bytes.length - size);
}

/** A number from 0 to 2^32 - 1; `tag` is below 128, here and below. */
export function putVarint(sink: Sink, tag: number, value: number): void {
  let size = 1;
  for (let rest = value >>> 7; rest !== 0; rest >>>= 7) size++;
  let place = reserve(sink, size + 1);
  const { bytes } = sink;
  bytes[place++] = tag;
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes[place++] = (rest & 0x7f) | 0x80;
  bytes[place] = rest;
}

/** A string; half of a surrogate pair becomes U+FFFD, since a message's strings are UTF-8. */
export function putString(sink: Sink, tag: number, text: string): void {
  const size = isShortAscii(text) ? text.length : Buffer.byteLength(text, "utf8");
  const place = reserve(sink, size);
  // Calls into the runtime take longer than a short text (measured).
  if (size === text.length && size <= maxShort) {
    for (let index = 0; index < size; index++) sink.bytes[place + index] = text.charCodeAt(index);
  } else {
    sink.bytes.write(text, place, size, "utf8");
  }
  putVarint(sink, tag, size);
}

function isShortAscii(text: string): boolean {
  if (text.length > maxShort) return false;
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}

/** A double. */
export function putDouble(sink: Sink, tag: number, value: number): void {
  const place = reserve(sink, 9);
  sink.bytes[place] = tag;
  sink.bytes.writeDoubleLE(value, place + 1);
}

/** The head of a message whose fields are all that was written since the sink had `sizeBefore` bytes. */
export function putMessage(sink: Sink, tag: number, sizeBefore: number): void {
  putVarint(sink, tag, sink.size - sizeBefore);
}

/** Where so many more bytes begin; `sink.bytes` may be another buffer afterwards. */
function reserve(sink: Sink, size: number): number {
  const total = sink.size + size;
  if (total > sink.bytes.length) {
    const bytes = Buffer.allocUnsafe(2 * total);
    bytes.set(written(sink), bytes.length - sink.size);
    sink.bytes = bytes;
  }
  sink.size = total;
  return sink.bytes.length - total;
}
