import { Buffer } from "node:buffer";
import { bodyOf, type ChainLine, digest, isIntact, noHash, readLine, tornNote } from "./chain-line.js";
import { type ChangedByte, locateChange, missingLineFeed } from "./chain-locate.js";

/** The first thing that is wrong in the files of a chain. */
export interface ChainFault {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** Of the byte, or else of the line's first byte, in the file; from 0. */
  readonly offset: number;
  /** Undefined where the line cannot be read. */
  readonly seq: number | undefined;
  /** Lower case, no final stop. */
  readonly message: string;
  /** The byte, where it is one and can be found. */
  readonly byte: ChangedByte | undefined;
}

/** What can be said of the files of a chain. */
export interface ChainVerdict {
  readonly fault: ChainFault | undefined;
  /** What is no fault, and yet somebody may want to know it. */
  readonly notices: readonly string[];
  readonly lines: number;
  readonly records: number;
  /** Of the first and the last line; undefined when there is none. */
  readonly firstSeq: number | undefined;
  readonly lastSeq: number | undefined;
  /** Hash of the last line that is right; keep it elsewhere to notice when the end is cut off. */
  readonly head: string;
}

/** Takes the lines of the files in their order. */
export interface ChainVerifier {
  /** Files of one chain, the oldest first. */
  file(name: string): void;
  /** A line without its line feed; false: there is a fault, and no more has to be read. */
  line(bytes: Buffer, ended: boolean): boolean;
  end(): ChainVerdict;
}

/** What is expected of a chain. */
export interface VerifyOptions {
  readonly key?: Uint8Array | undefined;
  /** Hash of the last line, from elsewhere. */
  readonly head?: string | undefined;
}

/** A line and where it stands. */
interface Place {
  readonly file: string;
  readonly line: number;
  readonly offset: number;
  readonly bytes: Buffer;
  readonly ended: boolean;
}

/** So many lines are read on to tell whether a line is missing or stands elsewhere. */
const maxAhead = 10_000;
/** A crash leaves one piece of a line, a crash while that was mended another one. */
const maxPieces = 8;

/** Checks each line's form, its hash, and that it follows the line before. */
export function createVerifier({ key, head: expectedHead }: VerifyOptions): ChainVerifier {
  let file = "";
  let at = { line: 0, offset: 0 };
  let seq: number | undefined;
  let head = noHash;
  let first: number | undefined;
  let lines = 0;
  let records = 0;
  let fault: ChainFault | undefined;
  const notices: string[] = [];
  /** Lines that are none, until what follows explains them. */
  let pieces: Place[] = [];
  /** A good line that does not follow, until its predecessor is found or not. */
  let gap: { readonly place: Place; readonly found: ChainLine; ahead: number } | undefined;

  const fail = (place: Place, message: string, more: Partial<ChainFault> = {}): false => {
    const { byte } = more;
    const offset = place.offset + (byte?.offset ?? 0);
    fault ??= {
      file: place.file,
      line: place.line,
      seq: undefined,
      message,
      ...more,
      offset,
      byte: byte && { ...byte, offset },
    };
    return false;
  };

  /** A piece that nothing explains. Where there are several, the one that can be mended is the fault. */
  const failPieces = (): false => {
    for (const place of pieces) {
      const found = readLine(place.bytes)?.seq;
      const feed = missingLineFeed(place.bytes, key);
      if (feed !== undefined)
        return fail(place, "the line feed behind it was changed", { byte: feed, seq: found });
      const next = pieces[pieces.indexOf(place) + 1];
      if (next !== undefined && isWhole(Buffer.concat([place.bytes, next.bytes]), key)) {
        const byte = { offset: place.bytes.length, found: 10, expected: undefined };
        return fail(place, "a line feed was put into it", { byte });
      }
      if (!place.ended && isWhole(place.bytes.subarray(0, -1), key)) {
        const byte = { offset: place.bytes.length - 1, found: place.bytes.at(-1), expected: 10 };
        return fail(place, "the line feed behind it was changed", { byte, seq: found });
      }
      const byte = locateChange(place.bytes, key);
      if (byte !== undefined) return fail(place, changeText(byte), { byte, seq: found });
    }
    const [place] = pieces;
    if (place === undefined) return false;
    const found = readLine(place.bytes);
    if (found !== undefined) {
      const key =
        "its bytes do not have its hash: more than one byte was changed, or it was made with another key";
      return fail(place, key, { seq: found.seq });
    }
    return fail(place, place.ended ? "is no line of the chain" : "is cut off, the file ends within it");
  };

  const accept = (place: Place, found: ChainLine): boolean => {
    const follows = seq === undefined ? isFirst(found) : found.seq === seq && found.prev === head;
    if (!follows) {
      if (seq !== undefined && found.seq > seq) {
        gap = { place, found, ahead: 0 };
        return true;
      }
      return fail(place, orderText(found, seq, head), { seq: found.seq });
    }
    if (seq === undefined && found.seq > 0) {
      notices.push(`${place.file}: begins with seq ${found.seq}; lines before it stand in older files`);
    }
    first ??= found.seq;
    seq = found.seq + 1;
    head = found.hash;
    lines += 1;
    if (found.kind === "record") records += 1;
    // Only what a file held before its chain may stand before its start.
    if (found.kind === "start" && found.seq > (lines === 2 && first === 0 && records === 0 ? 1 : 0)) {
      return fail(place, "the chain begins anew here", { seq: found.seq });
    }
    return true;
  };

  return {
    file(name) {
      file = name;
      at = { line: 0, offset: 0 };
    },
    line(bytes, ended) {
      if (fault !== undefined) return false;
      const place: Place = { file, line: at.line + 1, offset: at.offset, bytes, ended };
      at = { line: place.line, offset: at.offset + bytes.length + 1 };
      const found = readLine(bytes);
      if (gap !== undefined) {
        if (found?.seq === seq && found?.prev === head) {
          const message = `stands before its predecessor, which is line ${place.line} of ${place.file}`;
          return fail(gap.place, message, { seq: gap.found.seq });
        }
        gap.ahead += 1;
        return gap.ahead < maxAhead;
      }
      if (found === undefined || !isIntact(bytes, found, key)) {
        pieces.push(place);
        return pieces.length < maxPieces || failPieces();
      }
      if (pieces.length > 0) {
        const left = Buffer.concat(
          pieces.flatMap((piece, i) => (i === 0 ? [piece.bytes] : [Buffer.from("\n"), piece.bytes])),
        );
        if (found.kind !== "torn" || bodyOf(bytes, found) !== tornNote(left)) return failPieces();
        const where = pieces[0];
        notices.push(
          `${where?.file}:${where?.line}: a crash cut this line off; the next line vouches for its bytes`,
        );
        pieces = [];
      } else if (found.kind === "torn") {
        return fail(place, "the piece of a line that it names is missing", { seq: found.seq });
      }
      if (!accept(place, found)) return false;
      return ended || fail(place, "the line feed behind it is missing", { seq: found.seq });
    },
    end() {
      if (fault === undefined && pieces.length > 0) failPieces();
      if (fault === undefined && gap !== undefined) {
        const missing =
          gap.found.seq - 1 === seq
            ? `line with seq ${seq} is`
            : `lines with seq ${seq} to ${gap.found.seq - 1} are`;
        fail(gap.place, `${missing} missing before it`, { seq: gap.found.seq });
      }
      const end: Place = { file, line: at.line, offset: at.offset, bytes: Buffer.alloc(0), ended: true };
      if (lines === 0) fail({ ...end, line: 1, offset: 0 }, "holds no line of a chain");
      if (expectedHead !== undefined && head !== expectedHead) {
        fail(
          end,
          `the last line has another hash than \`${expectedHead}\`: lines at the end are missing, or more were written`,
        );
      }
      return {
        fault,
        notices,
        lines,
        records,
        firstSeq: first,
        lastSeq: seq === undefined ? undefined : seq - 1,
        head,
      };
    },
  };
}

/** What may stand first in the files that are given. */
function isFirst({ kind, seq, prev }: ChainLine): boolean {
  if (seq === 0) return prev === noHash && (kind === "start" || kind === "torn");
  return kind === "file";
}

function isWhole(bytes: Buffer, key: Uint8Array | undefined): boolean {
  const line = readLine(bytes);
  return line !== undefined && digest(bytes.subarray(0, line.covered), key) === line.hash;
}

function orderText({ seq, prev, hash }: ChainLine, expected: number | undefined, head: string): string {
  if (expected === undefined) {
    return seq === 0 ? "is not the first line of a chain" : `line with seq ${seq - 1} is missing before it`;
  }
  if (seq === 0) return "the chain begins anew here";
  if (hash === head) return "is the line before once more";
  if (seq < expected) return `stands here once more or too late, expected seq ${expected}`;
  return `does not follow the line before: it names \`${prev.slice(0, 16)}…\`, expected \`${head.slice(0, 16)}…\``;
}

function changeText({ found, expected }: ChangedByte): string {
  if (expected === undefined) return `byte ${hex(found)} was put into it`;
  if (found === undefined) return `byte ${hex(expected)} was taken out of it`;
  return `byte ${hex(found)} stands where ${hex(expected)} was written`;
}

function hex(byte: number | undefined): string {
  return `0x${(byte ?? 0).toString(16).padStart(2, "0")}`;
}
