import { Buffer, isUtf8 } from "node:buffer";

/** Gives bytes on in whole characters. */
export interface Utf8Stream {
  /** Up to 3 bytes wait for the next chunk. Where what is given is no UTF-8, `isBroken` is set, and it ends before that. */
  push(chunk: Uint8Array): Buffer;
  readonly isBroken: boolean;
  /** What was not given on: a character that was begun, or all behind what is broken. */
  readonly rest: Buffer;
}

const nothing: Buffer = Buffer.alloc(0);

/** Of one body. */
export function createUtf8Stream(): Utf8Stream {
  let rest = nothing;
  let isBroken = false;
  return {
    push(chunk) {
      const given = Buffer.isBuffer(chunk)
        ? chunk
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      const all = rest.length === 0 ? given : Buffer.concat([rest, given]);
      const cut = all.length - unfinished(all);
      const whole = cut === all.length ? all : all.subarray(0, cut);
      rest = cut === all.length ? nothing : Buffer.from(all.subarray(cut));
      if (isUtf8(whole)) return whole;
      isBroken = true;
      const valid = validLength(whole);
      rest = Buffer.from(all.subarray(valid));
      return whole.subarray(0, valid);
    },
    get isBroken() {
      return isBroken;
    },
    get rest() {
      return rest;
    },
  };
}

/** Bytes at the end that begin a character longer than they are. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? back : 0;
  }
  return 0;
}

/** Bytes before the first that is no UTF-8. */
function validLength(bytes: Buffer): number {
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] as number;
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (!isUtf8(bytes.subarray(at, at + length))) return at;
    at += length;
  }
  return bytes.length;
}
