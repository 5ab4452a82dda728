import { Buffer } from "node:buffer";
import type { ByteString } from "../attributes/index.js";

/** What goes on of one chunk after the other: stretches of it, and texts between them. */
export interface Passed {
  stretch(from: number, to: number): void;
  put(text: ByteString): void;
  /**
   * All of it, and begins anew; `chunk` is what the stretches are of. One stretch and no text is a view of
   * the chunk.
   */
  take(chunk: Buffer): Uint8Array;
}

/** Copies of stretches are quicker than slices of text while there are few (measured). */
const fewStretches = 16;
/** Bytes up to which to write one by one is quicker than to call (measured). */
const fewBytes = 24;

const nothing: Buffer = Buffer.alloc(0);

/** `textOf`: the chunk, one character a byte. */
export function createPassed(textOf: () => ByteString): Passed {
  let first: ByteString = "";
  /** Begin and end of each, behind `first`; many are all in it. */
  let stretches: number[] = [];
  /** Behind each. */
  let texts: ByteString[] = [];
  let areMany = false;

  const joinAll = (): void => {
    const text = textOf();
    for (let n = 0; n < texts.length; n++) {
      first += text.slice(stretches[2 * n], stretches[2 * n + 1]) + (texts[n] as ByteString);
    }
    stretches = [];
    texts = [];
    areMany = true;
  };
  const joined = (chunk: Buffer): Uint8Array => {
    let length = first.length;
    for (let n = 0; n < texts.length; n++) {
      length +=
        (stretches[2 * n + 1] as number) - (stretches[2 * n] as number) + (texts[n] as ByteString).length;
    }
    if (length === 0) return nothing;
    const all = Buffer.allocUnsafe(length);
    let at = write(first, all, 0);
    for (let n = 0; n < texts.length; n++) {
      const from = stretches[2 * n] as number;
      const to = stretches[2 * n + 1] as number;
      chunk.copy(all, at, from, to);
      at = write(texts[n] as ByteString, all, at + to - from);
    }
    return all;
  };

  return {
    stretch(from, to) {
      if (texts.length === fewStretches) joinAll();
      if (areMany) first += textOf().slice(from, to);
      else {
        stretches.push(from, to);
        texts.push("");
      }
    },
    put(text) {
      if (texts.length === 0) first += text;
      else texts[texts.length - 1] += text;
    },
    take(chunk) {
      const isView = texts.length === 1 && first === "" && texts[0] === "";
      const all = isView ? chunk.subarray(stretches[0], stretches[1]) : joined(chunk);
      first = "";
      areMany = false;
      if (texts.length > 0) {
        stretches = [];
        texts = [];
      }
      return all;
    },
  };
}

/** Gives where to go on. */
function write(text: ByteString, target: Buffer, start: number): number {
  const { length } = text;
  if (length > fewBytes) target.write(text, start, length, "latin1");
  else for (let at = 0; at < length; at++) target[start + at] = text.charCodeAt(at);
  return start + length;
}
