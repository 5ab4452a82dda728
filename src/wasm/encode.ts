/** Bytes of an unsigned LEB128. */
export function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}

/** Bytes of a signed LEB128 of a 32 bit number. */
export function signedLeb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && low < 0x40) || (rest === -1 && low >= 0x40)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

/** Bytes of a name. */
export function name(value: string): number[] {
  const bytes = Buffer.from(value, "utf8");
  return [...leb(bytes.length), ...bytes];
}

/** Bytes that belong together. */
export type Chunk = Uint8Array | readonly number[];

export function join(chunks: readonly Chunk[]): Uint8Array {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

/** A chunk behind its length. */
export function sized(chunk: Uint8Array): Chunk[] {
  return [leb(chunk.length), chunk];
}
