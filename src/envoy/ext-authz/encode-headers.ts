import { Buffer } from "node:buffer";

/** Names and values of headers, as they are sent. */
type Headers = readonly (readonly [name: string, value: string])[];

/** `OkHttpResponse.response_headers_to_add` (6) and `DeniedHttpResponse.headers` (2), length-delimited. */
const okHeaderTag = (6 << 3) | 2;
const deniedHeaderTag = (2 << 3) | 2;
/** HeaderValueOption: `header` (1); HeaderValue: `key` (1), `value` (2). */
const headerTag = (1 << 3) | 2;
const keyTag = (1 << 3) | 2;
const valueTag = (2 << 3) | 2;
/** HeaderValueOption.append_action (3) = OVERWRITE_IF_EXISTS_OR_ADD (2). */
const overwrite = [(3 << 3) | 0, 2] as const;

/** How many bytes `writeHeaders` writes. */
export function headersLength(headers: Headers): number {
  let length = 0;
  for (const [name, value] of headers) length += field(optionLength(name, value));
  return length;
}

/**
 * Writes headers as `HeaderValueOption`s that replace what is there, from `at` on; gives the place behind them. Of an
 * allowed request they are headers of the response, of a refused one those of the refusal.
 */
export function writeHeaders(
  bytes: Buffer,
  at: number,
  { headers, isOk }: { readonly headers: Headers; readonly isOk: boolean },
): number {
  let end = at;
  for (const [name, value] of headers) {
    const keyLength = Buffer.byteLength(name);
    const valueLength = Buffer.byteLength(value);
    const headerLength = field(keyLength) + field(valueLength);
    bytes[end++] = isOk ? okHeaderTag : deniedHeaderTag;
    end = writeVarint(bytes, end, field(headerLength) + overwrite.length);
    bytes[end++] = headerTag;
    end = writeVarint(bytes, end, headerLength);
    bytes[end++] = keyTag;
    end = writeVarint(bytes, end, keyLength);
    end += bytes.write(name, end);
    bytes[end++] = valueTag;
    end = writeVarint(bytes, end, valueLength);
    end += bytes.write(value, end);
    bytes[end++] = overwrite[0];
    bytes[end++] = overwrite[1];
  }
  return end;
}

/** Writes a number as protobuf's base 128 varint; gives the place behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let end = at;
  let rest = value;
  while (rest > 0x7f) {
    bytes[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[end++] = rest;
  return end;
}

function optionLength(name: string, value: string): number {
  const header = field(Buffer.byteLength(name)) + field(Buffer.byteLength(value));
  return field(header) + overwrite.length;
}

/** Bytes of a length-delimited field below number 16 whose content is so long. */
function field(length: number): number {
  let size = 2;
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) size += 1;
  return size + length;
}
