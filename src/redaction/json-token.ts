import type { Buffer } from "node:buffer";

/**
 * Ends of tokens (RFC 8259) that are all in one chunk. Bytes are compared here one by one, and as quickly as
 * can be.
 */

/** 1 for bytes that do not stand for themselves in a string: quote, backslash and control characters. */
const endsPlain = new Uint8Array(256);
endsPlain.fill(1, 0, 0x20);
endsPlain[0x22] = 1;
endsPlain[0x5c] = 1;

/**
 * Where a run of characters that stand for themselves ends: at a quote, backslash, control character or the
 * end.
 */
export function endOfPlain(chunk: Buffer, from: number): number {
  const ends = endsPlain;
  const last = chunk.length - 4;
  let at = from;
  // Four at a time: to go round a loop costs more than to look at a byte (measured).
  for (; at < last; at += 4) {
    if (ends[chunk[at] as number] === 1) return at;
    if (ends[chunk[at + 1] as number] === 1) return at + 1;
    if (ends[chunk[at + 2] as number] === 1) return at + 2;
    if (ends[chunk[at + 3] as number] === 1) return at + 3;
  }
  return endOfLast(chunk, at);
}

function endOfLast(chunk: Buffer, from: number): number {
  const end = chunk.length;
  let at = from;
  while (at < end && endsPlain[chunk[at] as number] === 0) at++;
  return at;
}

/** Behind white space. */
export function endOfSpace(chunk: Buffer, from: number): number {
  const end = chunk.length;
  let at = from;
  for (; at < end; at++) {
    const byte = chunk[at] as number;
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
  }
  return at;
}

const isShort = new Uint8Array(256);
for (const char of '"\\/bfnrt') isShort[char.charCodeAt(0)] = 1;
const isHex = new Uint8Array(256);
for (const char of "0123456789abcdefABCDEF") isHex[char.charCodeAt(0)] = 1;

/**
 * Where the closing quote of a string is that goes on with a backslash at `from`; -1: not in the chunk, or
 * malformed.
 */
export function endOfEscaped(chunk: Buffer, from: number): number {
  const end = chunk.length;
  let at = from;
  while (at < end) {
    const byte = chunk[at] as number;
    if (byte === 0x22) return at;
    if (byte !== 0x5c || at + 1 >= end) return -1;
    const kind = chunk[at + 1] as number;
    at += 2;
    if (isShort[kind] === 0) {
      if (kind !== 0x75 || at + 4 >= end) return -1;
      for (const behind = at + 4; at < behind; at++) if (isHex[chunk[at] as number] === 0) return -1;
    }
    at = endOfPlain(chunk, at);
  }
  return -1;
}

/** Behind the number at `from`; -1: it may go on behind the chunk, or is none. */
export function endOfNumber(chunk: Buffer, from: number): number {
  const end = chunk.length;
  const first = chunk[from] === 0x2d ? from + 1 : from;
  let at = endOfDigits(chunk, first);
  if (at === first || at >= end || (chunk[first] === 0x30 && at > first + 1)) return -1;
  const byte = chunk[at] as number;
  if (byte !== 0x2e && (byte | 0x20) !== 0x65) return at;
  at = endOfFraction(chunk, at);
  return at < end ? at : -1;
}

/** Behind a fraction and exponent, of which there is one; -1: there is none. */
function endOfFraction(chunk: Buffer, from: number): number {
  const end = chunk.length;
  let at = from;
  if (chunk[at] === 0x2e) {
    const first = at + 1;
    at = endOfDigits(chunk, first);
    if (at === first) return -1;
  }
  if (at < end && ((chunk[at] as number) | 0x20) === 0x65) {
    let first = at + 1;
    if (first < end && (chunk[first] === 0x2b || chunk[first] === 0x2d)) first++;
    at = endOfDigits(chunk, first);
    if (at === first) return -1;
  }
  return at;
}

/** Behind the decimal digits, none too. */
export function endOfDigits(chunk: Buffer, from: number): number {
  const end = chunk.length;
  let at = from;
  for (; at < end; at++) {
    const byte = chunk[at] as number;
    if (byte < 0x30 || byte > 0x39) break;
  }
  return at;
}

/** Behind `true`, `false` or `null` at `from`; -1: it is near the end of the chunk, or none of them. */
export function endOfLiteral(chunk: Buffer, from: number): number {
  if (from + 5 > chunk.length) return -1;
  let isIt: boolean;
  switch (chunk[from]) {
    case 0x74:
      isIt = chunk[from + 1] === 0x72 && chunk[from + 2] === 0x75 && chunk[from + 3] === 0x65;
      return isIt ? from + 4 : -1;
    case 0x6e:
      isIt = chunk[from + 1] === 0x75 && chunk[from + 2] === 0x6c && chunk[from + 3] === 0x6c;
      return isIt ? from + 4 : -1;
    case 0x66:
      isIt = chunk[from + 1] === 0x61 && chunk[from + 2] === 0x6c && chunk[from + 3] === 0x73;
      return isIt && chunk[from + 4] === 0x65 ? from + 5 : -1;
    default:
      return -1;
  }
}
