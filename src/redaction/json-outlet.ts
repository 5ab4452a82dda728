import { Buffer } from "node:buffer";
import type { ByteString } from "../attributes/index.js";
import { createPassed } from "./json-passed.js";
import { RedactionError } from "./transform.js";

/**
 * What goes on of a body that is read chunk by chunk: slices of the chunks as they are, but for a region that
 * is marked while its fate is open, stretches that are closed, and texts that are put between.
 */
export interface Outlet {
  begin(chunk: Buffer): void;
  /** The chunk, one character a byte. */
  text(): ByteString;
  /** A part of that. */
  slice(from: number, to: number): ByteString;
  /** What follows waits for `keep`, `drop` or `replace`. One region at a time. */
  mark(at: number): void;
  readonly isMarked: boolean;
  /** Bytes from the mark to here, those of earlier chunks included. */
  offset(at: number): number;
  keep(): void;
  /** The marked region does not go on. */
  drop(at: number): void;
  /** Of the marked region `kept` bytes go on, then the text. */
  replace(kept: number, text: ByteString, at: number): void;
  /** What is before `at` goes on, nothing behind it until `open`. */
  close(at: number): void;
  readonly isClosed: boolean;
  open(at: number): void;
  put(text: ByteString): void;
  /** The chunk is over: what may go on. */
  finish(): Uint8Array;
  readonly heldBytes: number;
}

/** A slice by itself costs as much as so many bytes of all of a chunk. */
const sliceBytes = 1_024;

/** Bytes between two values, or of a key, that are held at most. */
const maxHeld = 65_536;

const nothing: Buffer = Buffer.alloc(0);

/** Of one body. Throws `too_long` where the marked region grows over 64 KiB. */
export function createOutlet(): Outlet {
  let chunk = nothing;
  let chunkText: ByteString | undefined;
  /** How often slices were asked for. */
  let asked = 0;
  /** What is before it in the chunk was dealt with. */
  let from = 0;
  let mark = -1;
  let held = nothing;
  let heldLength = 0;
  let closed = false;

  const text = (): ByteString => {
    chunkText ??= chunk.toString("latin1", 0, chunk.length);
    return chunkText;
  };
  const passed = createPassed(text);
  const flush = (to: number): void => {
    if (to > from) passed.stretch(from, to);
    from = to;
  };
  const putHeld = (length: number): void => {
    if (length > 0) passed.put(held.toString("latin1", 0, length));
    heldLength = 0;
  };
  const hold = (): void => {
    const bytes = chunk.subarray(mark);
    const needed = heldLength + bytes.length;
    if (needed > maxHeld) throw new RedactionError("too_long", "a key of the json is too long to be held");
    if (needed > held.length) {
      const grown = Buffer.alloc(Math.min(maxHeld, Math.max(needed, held.length * 2, 64)));
      held.copy(grown, 0, 0, heldLength);
      held = grown;
    }
    bytes.copy(held, heldLength);
    heldLength = needed;
    mark = 0;
  };

  return {
    begin(next) {
      chunk = next;
      chunkText = undefined;
      asked = 0;
      from = 0;
    },
    text,
    slice(start, end) {
      // All at once where there are many.
      if (chunkText === undefined && ++asked * sliceBytes <= chunk.length)
        return chunk.toString("latin1", start, end);
      return text().slice(start, end);
    },
    mark(at) {
      mark = at;
    },
    get isMarked() {
      return mark >= 0;
    },
    offset: (at) => heldLength + at - mark,
    keep() {
      // INVARIANT: with held bytes the mark and `from` are 0.
      putHeld(heldLength);
      mark = -1;
    },
    drop(at) {
      flush(mark);
      heldLength = 0;
      mark = -1;
      from = at;
    },
    replace(kept, written, at) {
      const fromHeld = Math.min(kept, heldLength);
      putHeld(fromHeld);
      flush(mark + kept - fromHeld);
      passed.put(written);
      mark = -1;
      from = at;
    },
    close(at) {
      flush(at);
      closed = true;
    },
    get isClosed() {
      return closed;
    },
    open(at) {
      closed = false;
      from = at;
    },
    put: passed.put,
    finish() {
      if (!closed) {
        flush(mark < 0 ? chunk.length : mark);
        if (mark >= 0) hold();
      }
      const all = passed.take(chunk);
      chunk = nothing;
      chunkText = undefined;
      from = 0;
      return all;
    },
    get heldBytes() {
      return heldLength;
    },
  };
}
