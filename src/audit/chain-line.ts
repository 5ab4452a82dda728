import { Buffer } from "node:buffer";
import { createHmac, hash } from "node:crypto";

/** What `prev` is on the first line of a chain. */
export const noHash: string = "0".repeat(64);

/** What a line of an audit file says beside its place in the chain. */
export type LineKind =
  /** The chain begins. */
  | "start"
  /** The file begins, the chain went on from another one. */
  | "file"
  /** The line before was cut off by a crash; its bytes stay as evidence. */
  | "torn"
  /** A decision. */
  | "record";

/** A line whose form is right; whether its hash is, is another question. */
export interface ChainLine {
  readonly seq: number;
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
  readonly prev: string;
  readonly kind: LineKind;
  /** JSON of what the line says, in its bytes. */
  readonly bodyStart: number;
  /** How many bytes the hash covers. */
  readonly covered: number;
  readonly hash: string;
}

/** `,"hash":"…"}`: what stands behind the bytes that the hash covers. */
export const tailBytes: number = ',"hash":""}'.length + 64;

/** More than the longest head of a line. */
const headBytes = 180;
const head =
  /^\{"seq":(0|[1-9][0-9]{0,15}),"time":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z)","prev":"([0-9a-f]{64})","(start|file|torn|record)":/;
const tail = /^,"hash":"([0-9a-f]{64})"\}$/;

/** A line without its line feed; undefined when it has another form. */
export function readLine(line: Buffer): ChainLine | undefined {
  const covered = line.length - tailBytes;
  if (covered <= 0) return undefined;
  const begin = head.exec(line.toString("latin1", 0, headBytes));
  const end = tail.exec(line.toString("latin1", covered));
  if (begin === null || end === null || begin[0].length >= covered) return undefined;
  const [whole, seq, time = "", prev = "", kind] = begin;
  return {
    seq: Number(seq),
    time,
    prev,
    kind: kind as LineKind,
    bodyStart: whole.length,
    covered,
    hash: end[1] ?? "",
  };
}

/** What the line says, as its bytes have it. */
export function bodyOf(line: Buffer, { bodyStart, covered }: ChainLine): string {
  return line.toString("utf8", bodyStart, covered);
}

/** SHA-256 of the bytes, with a key HMAC-SHA-256; lower-case hex. */
export function digest(bytes: string | Uint8Array, key: Uint8Array | undefined): string {
  return key === undefined
    ? hash("sha256", bytes, "hex")
    : createHmac("sha256", key).update(bytes).digest("hex");
}

/** Whether the line has the hash that it must have. */
export function isIntact(line: Buffer, { covered, hash }: ChainLine, key: Uint8Array | undefined): boolean {
  return digest(line.subarray(0, covered), key) === hash;
}

/** What `torn` says of the bytes that a crash left. */
export function tornNote(bytes: Uint8Array): string {
  return JSON.stringify({ bytes: bytes.length, sha256: digest(bytes, undefined) });
}

/** Writes a line with its line feed; `body` is JSON without a line feed. */
export function writeLine(
  place: { readonly seq: number; readonly time: number; readonly prev: string },
  [kind, body]: readonly [LineKind, body: string],
  key: Uint8Array | undefined,
): { readonly text: string; readonly hash: string } {
  const { seq, time, prev } = place;
  const covered = `{"seq":${seq},"time":"${new Date(time).toISOString()}","prev":"${prev}","${kind}":${body}`;
  const hash = digest(covered, key);
  return { text: `${covered},"hash":"${hash}"}\n`, hash };
}

/** One byte of a file. */
export const lineFeed: number = Buffer.from("\n")[0] ?? 10;
