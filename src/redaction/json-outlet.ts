import { Buffer } from "node:buffer";
import type { ByteString } from "../attributes/index.js";
import { RedactionError } from "./transform.js";

/**
 * What goes on of a body that is read chunk by chunk: slices of the chunks as they are, but for a region that is marked
 * while its fate is open, stretches that are closed, and texts that are put between.
 */
export interface Outlet {
  begin(chunk: Buffer): void;
  /** The chunk, one character a byte. */
  text(): ByteString;
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

/** Bytes between two values, or of a key, that are held at most. */
const maxHeld = 65_536;

const nothing: Buffer = Buffer.alloc(0);

/** Of one body. Throws `too_long` where the marked region grows over 64 KiB. */
export function createOutlet(): Outlet {
  let chunk = nothing;
  let chunkText: ByteString | undefined;
  /** What goes on of this chunk so far, but for the stretch from `from` on. */
  let passed: ByteString = "";
  /** What is before it in the chunk was dealt with. */
  let from = 0;
  let mark = -1;
  let held = nothing;
  let heldLength = 0;
  let closed = false;

  // Slices of one text and one copy at the end: many small buffers are slow to make and to join.
  const text = (): ByteString => {
    chunkText ??= chunk.toString("latin1");
    return chunkText;
  };
  const flush = (to: number): void => {
    if (to > from) passed += text().slice(from, to);
    from = to;
  };
  const putHeld = (length: number): void => {
    if (length > 0) passed += held.toString("latin1", 0, length);
    heldLength = 0;
  };
  const put = (written: ByteString): void => {
    passed += written;
  };
  const hold = (): void => {
    const bytes = chunk.subarray(mark);
    const needed = heldLength + bytes.length;
    if (needed > maxHeld) throw new RedactionError("too_long", "a key of the json is too long to be held");
    if (needed > held.length) {
      const grown = Buffer.alloc(Math.max(needed, held.length * 2, 64));
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
      from = 0;
    },
    text,
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
      put(written);
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
    put,
    finish() {
      // Nothing was changed before: the chunk itself.
      let rest = nothing;
      if (!closed) {
        const to = mark < 0 ? chunk.length : mark;
        if (passed === "") rest = chunk.subarray(from, to);
        else flush(to);
        if (mark >= 0) hold();
      }
      const all = passed === "" ? rest : Buffer.from(passed, "latin1");
      passed = "";
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
