import { isUtf8 } from "node:buffer";

/*
 * A string of Rego is bytes, as in Go, and need not be UTF-8: `base64.decode` gives such. Here a byte that belongs to
 * no character is the lone surrogate U+DC00 + byte, which valid text never contains, so that nothing is lost.
 */

/** The bytes of a string. Other lone surrogates become U+FFFD. */
export function bytesOf(text: string): Buffer {
  if (!/[\ud800-\udfff]/u.test(text)) return Buffer.from(text, "utf8");
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    if (unit < 0xdc00 && isLow(text.charCodeAt(i + 1))) {
      i++;
    } else if (unit >= 0xdc80 && unit <= 0xdcff) {
      parts.push(Buffer.from(text.slice(start, i), "utf8"), Uint8Array.of(unit & 0xff));
      start = i + 1;
    }
  }
  parts.push(Buffer.from(text.slice(start), "utf8"));
  return Buffer.concat(parts);
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** The string of bytes: the inverse of {@link bytesOf}. */
export function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isUtf8(buffer)) return buffer.toString("utf8");
  const parts: string[] = [];
  let start = 0;
  for (let i = 0; i < buffer.length; ) {
    const size = characterSize(buffer, i);
    if (size > 0) {
      i += size;
      continue;
    }
    parts.push(buffer.toString("utf8", start, i), String.fromCharCode(0xdc00 + (buffer[i] ?? 0)));
    start = ++i;
  }
  parts.push(buffer.toString("utf8", start));
  return parts.join("");
}

/** How long the UTF-8 character at a place is; 0 where none begins. */
function characterSize(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const size = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  return isUtf8(bytes.subarray(at, at + size)) && at + size <= bytes.length ? size : 0;
}

/** A text without the given characters at its ends (Go's `strings.Trim`), in a time that its length bounds. */
export function trimmed(text: string, characters: string): string {
  let [start, end] = [0, text.length];
  while (start < end && characters.includes(text.charAt(start))) start++;
  while (end > start && characters.includes(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}
