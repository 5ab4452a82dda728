import { WasmError } from "./error.js";

/** A place in a part of a binary; every read moves it, and throws a WasmError at the part's end. */
export interface Reader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
}

export function readerOf(bytes: Uint8Array, start = 0, end: number = bytes.length): Reader {
  return { bytes, at: start, end };
}

export function cutOff(): WasmError {
  return new WasmError("malformed", "the module is cut off");
}

export function byte(reader: Reader): number {
  if (reader.at >= reader.end) throw cutOff();
  return reader.bytes[reader.at++] ?? 0;
}

/** An unsigned LEB128 of 32 bits. */
export function unsigned(reader: Reader): number {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const next = byte(reader);
    if (shift === 28 && (next & 0xf0) !== 0) break;
    value += (next & 0x7f) * 2 ** shift;
    if (next < 0x80) return value;
  }
  throw new WasmError("malformed", "a number of the module is too long");
}

/** Passes over a LEB128 of at most so many bytes. */
export function skipNumber(reader: Reader, maxBytes: number): void {
  for (let i = 0; i < maxBytes; i++) if (byte(reader) < 0x80) return;
  throw new WasmError("malformed", "a number of the module is too long");
}

export function skip(reader: Reader, count: number): void {
  if (count > reader.end - reader.at) throw cutOff();
  reader.at += count;
}

/** How many items follow; no more than there are bytes for them. */
export function count(reader: Reader): number {
  const found = unsigned(reader);
  if (found > reader.end - reader.at) throw cutOff();
  return found;
}

export function text(reader: Reader): string {
  const length = count(reader);
  const start = reader.at;
  reader.at += length;
  return Buffer.from(reader.bytes.buffer, reader.bytes.byteOffset + start, length).toString("utf8");
}

/** The bytes of a part, as a reader over them; moves behind it. */
export function part(reader: Reader): Reader {
  const length = count(reader);
  const inner = readerOf(reader.bytes, reader.at, reader.at + length);
  reader.at += length;
  return inner;
}
