import { Buffer } from "node:buffer";
import { digest, readLine, tailBytes } from "./chain-line.js";

/** The one byte that was changed, put in or taken out. */
export interface ChangedByte {
  /** In the line. */
  readonly offset: number;
  /** What stands there; undefined where a byte was taken out. */
  readonly found: number | undefined;
  /** What stood there; undefined where a byte was put in. */
  readonly expected: number | undefined;
}

/** Longer lines are not searched: each try is a hash of the whole line. */
const maxLine = 4096;
/** Tries: some seconds at most, and only once, since the first fault ends a verification. */
const maxTries = 1_200_000;

/**
 * Finds the byte by which a line differs from the one that was written, by its own hash; undefined when it differs by
 * more. `line` without its line feed.
 */
export function locateChange(line: Buffer, key: Uint8Array | undefined): ChangedByte | undefined {
  return inTail(line, key) ?? inCovered(line, key);
}

/** The bytes that the hash covers are right, the hash behind them is not. */
function inTail(line: Buffer, key: Uint8Array | undefined): ChangedByte | undefined {
  for (const shift of [0, 1, -1]) {
    const covered = line.length - tailBytes + shift;
    if (covered <= 0) continue;
    const expected = Buffer.from(`,"hash":"${digest(line.subarray(0, covered), key)}"}`, "latin1");
    const change = oneEdit(line.subarray(covered), expected);
    if (change !== undefined) return { ...change, offset: covered + change.offset };
  }
  return undefined;
}

/** How `found` becomes `expected` by one edit. */
function oneEdit(found: Buffer, expected: Buffer): ChangedByte | undefined {
  const longer = Math.max(found.length, expected.length);
  if (Math.abs(found.length - expected.length) > 1) return undefined;
  let before = 0;
  while (before < longer && found[before] === expected[before]) before += 1;
  if (before === longer) return undefined;
  const rest = (text: Buffer, more: boolean): Buffer => text.subarray(before + (more ? 1 : 0));
  const isRest = rest(found, found.length >= expected.length).equals(
    rest(expected, expected.length >= found.length),
  );
  if (!isRest) return undefined;
  return {
    offset: before,
    found: found.length >= expected.length ? found[before] : undefined,
    expected: expected.length >= found.length ? expected[before] : undefined,
  };
}

/** The hash is right, a byte before it is not: tries every byte, flipped bits first. */
function inCovered(line: Buffer, key: Uint8Array | undefined): ChangedByte | undefined {
  const covered = line.length - tailBytes;
  if (line.length > maxLine || covered <= 1) return undefined;
  const hash = /^,"hash":"([0-9a-f]{64})"\}$/.exec(line.toString("latin1", covered))?.[1];
  if (hash === undefined) return undefined;
  const text = Buffer.from(line.subarray(0, covered));
  let left = maxTries;
  const matches = (bytes: Buffer): boolean => {
    left -= 1;
    return left >= 0 && digest(bytes, key) === hash;
  };
  return (
    substituted(text, bits, matches) ??
    putIn(text, matches) ??
    substituted(text, others, matches) ??
    takenOut(text, matches)
  );
}

const bits: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128];
const others: readonly number[] = Array.from({ length: 255 }, (_, i) => i + 1).filter(
  (difference) => !bits.includes(difference),
);

function substituted(
  text: Buffer,
  differences: readonly number[],
  matches: (bytes: Buffer) => boolean,
): ChangedByte | undefined {
  for (let offset = 0; offset < text.length; offset += 1) {
    const found = text[offset] ?? 0;
    for (const difference of differences) {
      text[offset] = found ^ difference;
      if (matches(text)) return { offset, found, expected: found ^ difference };
    }
    text[offset] = found;
  }
  return undefined;
}

function putIn(text: Buffer, matches: (bytes: Buffer) => boolean): ChangedByte | undefined {
  const without = Buffer.from(text.subarray(1));
  for (let offset = 0; offset < text.length; offset += 1) {
    if (matches(without)) return { offset, found: text[offset], expected: undefined };
    without[offset] = text[offset] ?? 0;
  }
  return undefined;
}

function takenOut(text: Buffer, matches: (bytes: Buffer) => boolean): ChangedByte | undefined {
  const more = Buffer.concat([Buffer.alloc(1), text]);
  for (let offset = 0; offset <= text.length; offset += 1) {
    for (let expected = 0; expected < 256; expected += 1) {
      more[offset] = expected;
      if (matches(more)) return { offset, found: undefined, expected };
    }
    more[offset] = text[offset] ?? 0;
  }
  return undefined;
}

/** A line feed between two lines was taken out or became another byte: where it was. */
export function missingLineFeed(line: Buffer, key: Uint8Array | undefined): ChangedByte | undefined {
  for (let at = line.indexOf('{"seq":', 1); at > 0; at = line.indexOf('{"seq":', at + 1)) {
    for (const gap of [0, 1]) {
      const first = line.subarray(0, at - gap);
      const read = readLine(first);
      if (read !== undefined && digest(first.subarray(0, read.covered), key) === read.hash) {
        return { offset: at - gap, found: gap === 0 ? undefined : line[at - 1], expected: 10 };
      }
    }
  }
  return undefined;
}
