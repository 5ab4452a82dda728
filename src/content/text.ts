import { Buffer, isAscii, isUtf8 } from "node:buffer";

/** The same bytes, with Buffer's methods. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The text of bytes that may not be UTF-8, as Go's range loop and encoding/json have it: one U+FFFD for each byte that
 * begins no character. (The web's decoders put one for a whole cut character, and drop a byte order mark.)
 */
export function textOf(bytes: Uint8Array): string {
  const buffer = bufferOf(bytes);
  if (isAscii(buffer)) return buffer.toString("latin1");
  return isUtf8(buffer) ? buffer.toString() : lossyText(buffer);
}

/** The text of a string whose characters are bytes. */
export function textOfByteString(text: string): string {
  return asciiOnly.test(text) ? text : textOf(Buffer.from(text, "latin1"));
}

const asciiOnly = /^[\0-\x7f]*$/;

function lossyText(bytes: Buffer): string {
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    parts.push(bytes.toString("utf8", from, at));
    from = ++at;
  }
  return parts.join("\ufffd").concat(parts.length > 0 ? "\ufffd" : "", bytes.toString("utf8", from));
}

/** Bytes of the character that begins there, 0 when none does (RFC 3629). */
function characterLength(bytes: Buffer, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const second = bytes[at + 1] ?? 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (let next = at + 2; next < at + length; next++) {
    if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}
