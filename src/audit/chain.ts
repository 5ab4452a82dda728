import { Buffer } from "node:buffer";
import { isIntact, lineFeed, noHash, readLine, tornNote, writeLine } from "./chain-line.js";

/** Where a chain stands: what is needed to go on. */
export interface ChainState {
  /** Of the next line. */
  readonly seq: number;
  /** Hash of the last line. */
  readonly head: string;
  /** Undefined: the file ends with a line feed. Else what has to be written before anything else. */
  readonly repair: "lineFeed" | { readonly torn: string } | undefined;
  /** Set for a chain that has no line yet: a random id that tells it from others. */
  readonly id: string | undefined;
}

/** How the end of an audit file was read. */
export type ChainRead =
  | {
      readonly state: ChainState;
      /** What is wrong with the last line; the chain goes on behind it, and verification names it. */
      readonly fault: string | undefined;
    }
  /** `bytes` begin within a line: give more of the file. */
  | "more"
  /** The file has no line of a chain: begin one with what is left in it, see `newChain`. */
  | "none";

/** Makes the lines of an audit file. Each call's text must be written before that of the next one. */
export interface Chain {
  /** What a file needs first: of a new chain its first line, after a crash the line that names what was torn. */
  begin(time: number): string;
  /** The next line, with its line feed. `record` is JSON without line breaks. `time`: milliseconds since the epoch. */
  next(time: number, record: string): string;
  /** The first line of a new file, which names the last line of the one before; its line feed included. */
  rotate(time: number): string;
  /** Hash of the last line: what `verify --head` takes. */
  head(): string;
  /** Of the next line. */
  seq(): number;
}

/**
 * A chain that has no line yet. `id` is random, so that no two chains have the same hashes. `left`: what the file
 * holds already, none of it a line of a chain; it stays, and the first line names it.
 */
export function newChain(id: string, left: Uint8Array = new Uint8Array()): ChainState {
  const repair = left.length === 0 ? undefined : { torn: tornNote(left) };
  return { seq: 0, head: noHash, repair, id };
}

/** Goes on where `state` stands. With a key lines carry an HMAC, so that whoever can write the file cannot forge it. */
export function createChain(state: ChainState, key?: Uint8Array): Chain {
  let { seq, head } = state;
  let { repair, id } = state;
  const append = (time: number, kind: Parameters<typeof writeLine>[1][0], body: string): string => {
    const line = writeLine({ seq, time, prev: head }, [kind, body], key);
    seq += 1;
    head = line.hash;
    return line.text;
  };
  return {
    begin(time) {
      const first = repair === undefined ? "" : "\n";
      const torn = typeof repair === "object" ? append(time, "torn", repair.torn) : "";
      repair = undefined;
      if (id === undefined) return first + torn;
      const start = JSON.stringify({ chain: id, hash: key === undefined ? "sha256" : "hmac-sha256" });
      id = undefined;
      return first + torn + append(time, "start", start);
    },
    next: (time, record) => append(time, "record", record),
    rotate: (time) => append(time, "file", '"continued"'),
    head: () => head,
    seq: () => seq,
  };
}

/**
 * Where the chain in a file stands, of the file's last bytes. What a crash cut off at the end is not lost: it stays in
 * the file, and the next line names its length and its hash.
 */
export function readChain(
  bytes: Uint8Array,
  { whole, key }: { readonly whole: boolean; readonly key?: Uint8Array | undefined },
): ChainRead {
  const end = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const rest = end.subarray(end.lastIndexOf(lineFeed) + 1);
  const last = rest.length > 0 ? readLine(rest) : undefined;
  const lastStart = end.length - rest.length;
  // Only the line feed is missing.
  if (last !== undefined && isIntact(rest, last, key) && (whole || lastStart > 0)) {
    return {
      state: { seq: last.seq + 1, head: last.hash, repair: "lineFeed", id: undefined },
      fault: undefined,
    };
  }
  // A crash while a torn line was mended leaves several pieces.
  for (let stop = lastStart; stop > 0; ) {
    const start = end.lastIndexOf(lineFeed, stop - 2) + 1;
    const atStart = stop < 2 || start === 0;
    if (atStart && !whole) return "more";
    const bytesOfLine = end.subarray(atStart ? 0 : start, stop - 1);
    const line = readLine(bytesOfLine);
    if (line !== undefined) {
      const left = end.subarray(stop);
      const fault = isIntact(bytesOfLine, line, key)
        ? undefined
        : `line with seq ${line.seq} does not have its hash`;
      const torn = left.length === 0 ? undefined : { torn: tornNote(left) };
      return { state: { seq: line.seq + 1, head: line.hash, repair: torn, id: undefined }, fault };
    }
    stop = atStart ? 0 : start;
  }
  return whole ? "none" : "more";
}
