import type { Line, LineOutput, LineTarget } from "./file-output.js";

/** How far a write came. */
export interface Written {
  /** Lines from the first that are written whole. */
  readonly count: number;
  /** Why the others are not; undefined when all are, or when it is only full. */
  readonly error: unknown;
  /** A pipe whose reader is slow: to be tried again after `waitMs`. */
  readonly isFull: boolean;
  readonly waitMs: number;
}

/** Writes whole lines to what its target opens. One call at a time. */
export interface LineWriter {
  readonly isOpen: () => boolean;
  /** A part of a line is out, and the rest has to follow: nothing else may be opened now. */
  readonly isInLine: () => boolean;
  /** Opens, in place of what is open if that works. */
  readonly open: () => Promise<void>;
  /** Never rejects. The lines that were not written are to come first in the next call. */
  readonly write: (lines: readonly Line[]) => Promise<Written>;
  readonly sync: () => Promise<void>;
  readonly isGone: () => Promise<boolean>;
  readonly close: () => Promise<void>;
}

const lineFeed = 0x0a;
const maxWaitMs = 50;
const nothing: Buffer = Buffer.alloc(0);

/** Nothing is open yet. */
export function createLineWriter(target: LineTarget): LineWriter {
  let output: LineOutput | undefined;
  /** Bytes of the next line that are out already and cannot be taken back. */
  let begun = 0;
  let waitMs = 1;

  const close = async (): Promise<void> => {
    const closing = output;
    output = undefined;
    begun = 0;
    await closing?.close();
  };

  const write = async (lines: readonly Line[]): Promise<Written> => {
    if (output === undefined) return { count: 0, error: new Error("not open"), isFull: false, waitMs };
    let bytes = nothing;
    let done = begun;
    let error: unknown;
    try {
      bytes = output.encode(lines);
      while (done < bytes.byteLength) {
        const more = await output.write(done === 0 ? bytes : bytes.subarray(done));
        if (more === 0) throw new Error("nothing was written");
        done += more;
        waitMs = 1;
      }
    } catch (cause) {
      error = cause;
    }
    if (error === undefined) {
      begun = 0;
      output.commit(lines.length);
      return { count: lines.length, error, isFull: false, waitMs };
    }
    const { count, rest } = wholeLines(bytes, done);
    output.commit(count);
    if (isFullPipe(error)) {
      begun = rest;
      waitMs = Math.min(waitMs * 2, maxWaitMs);
      return { count, error: undefined, isFull: true, waitMs };
    }
    begun = 0;
    // What cannot be taken back is left behind with what it was written to.
    if (rest > 0 && !(await output.takeBack(rest))) await close();
    return { count, error, isFull: false, waitMs };
  };

  return {
    isOpen: () => output !== undefined,
    isInLine: () => begun > 0,
    async open() {
      const before = output;
      const next = await target.open(before);
      output = next;
      if (next === before) return;
      await before?.close();
    },
    write,
    sync: async () => output?.sync(),
    isGone: async () => (await output?.isGone().catch(() => false)) ?? false,
    close,
  };
}

function isFullPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EAGAIN";
}

/** Of the first `done` bytes: lines that are whole, and bytes of one that is not. */
function wholeLines(bytes: Buffer, done: number): { readonly count: number; readonly rest: number } {
  let count = 0;
  let start = 0;
  for (let at = bytes.indexOf(lineFeed); at !== -1 && at < done; at = bytes.indexOf(lineFeed, start)) {
    count += 1;
    start = at + 1;
  }
  return { count, rest: done - start };
}
