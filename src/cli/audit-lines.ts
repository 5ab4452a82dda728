import { open } from "node:fs/promises";

/** A line of a file, without its line feed. */
export interface FileLine {
  readonly bytes: Buffer;
  /** There is a line feed behind it. */
  readonly ended: boolean;
}

const chunkBytes = 1 << 18;
const lineFeed = 10;
/** A longer one is no line of an audit file: it is given in pieces. */
const maxLineBytes = 32 * 1024 * 1024;

/** Lines of a file from a byte on, several at a time; reads as much as is asked for. */
export async function* fileLines(path: string, from = 0): AsyncGenerator<readonly FileLine[], void, void> {
  const file = await open(path, "r");
  try {
    let rest: Buffer[] = [];
    let held = 0;
    for (let position = from; ; ) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead } = await file.read(chunk, 0, chunkBytes, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      const { lines, left } = cutLines(chunk.subarray(0, bytesRead), rest);
      if (lines.length > 0) {
        held = 0;
        yield lines;
      }
      rest = left;
      held += bytesRead;
      if (held > maxLineBytes) {
        yield [{ bytes: Buffer.concat(rest), ended: false }];
        rest = [];
        held = 0;
      }
    }
    if (rest.length > 0) yield [{ bytes: Buffer.concat(rest), ended: false }];
  } finally {
    await file.close();
  }
}

function cutLines(
  chunk: Buffer,
  before: readonly Buffer[],
): { readonly lines: readonly FileLine[]; readonly left: Buffer[] } {
  const lines: FileLine[] = [];
  let pieces = [...before];
  let start = 0;
  for (let feed = chunk.indexOf(lineFeed); feed >= 0; feed = chunk.indexOf(lineFeed, start)) {
    const piece = chunk.subarray(start, feed);
    lines.push({ bytes: pieces.length === 0 ? piece : Buffer.concat([...pieces, piece]), ended: true });
    pieces = [];
    start = feed + 1;
  }
  if (start < chunk.length) pieces.push(chunk.subarray(start));
  return { lines, left: pieces };
}

/** Where the last `count` lines of a file begin, and how long it is. */
export async function lastLines(
  path: string,
  count: number,
): Promise<{ readonly from: number; readonly size: number }> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    if (count === 0) return { from: size, size };
    const chunk = Buffer.alloc(chunkBytes);
    let missing = count;
    for (let end = size; end > 0; ) {
      const length = Math.min(chunkBytes, end);
      const start = end - length;
      await file.read(chunk, 0, length, start);
      for (let at = length - 1; at >= 0; at -= 1) {
        // What ends the file begins no other line.
        if (chunk[at] !== lineFeed || start + at === size - 1) continue;
        missing -= 1;
        if (missing === 0) return { from: start + at + 1, size };
      }
      end = start;
    }
    return { from: 0, size };
  } finally {
    await file.close();
  }
}
