import type { Buffer } from "node:buffer";
import { integerText } from "./json-number.js";
import {
  beforeColon,
  beforeItemOrEnd,
  beforeKey,
  beforeKeyOrEnd,
  beforeValue,
  behindValue,
  type Container,
  maxKey,
  maxNumber,
  type Place,
  type SkimLimits,
} from "./json-place.js";
import { endOfPlain, endsPlain } from "./json-string-reader.js";

/**
 * Reads on from `from` where nothing has to be done but to go on: whole keys, strings, numbers and literals that no rule
 * or detector is for. Stops at anything else, at what leaves the chunk, and at what is no JSON: gives where, and the place
 * is as if all before had been read byte by byte. It is the quick way through most of a body, and never the only one.
 */
export function skim(place: Place, chunk: Buffer, from: number, limits: SkimLimits): number {
  const { paths, outer, maxDepth } = place;
  const { floor, sieve } = limits;
  const end = chunk.length;
  let { state, depth, isObject, path, index, hasKept, child } = place;
  let at = from;
  let byte = 0;
  /** The comma before a value that may be removed, until it is known to stay: only then it was read. -1: none. */
  let comma = -1;

  reading: for (;;) {
    if (state === beforeKey || state === beforeKeyOrEnd) {
      while (at < end && isSpace[chunk[at] as number] === 1) at++;
      if (at < end && chunk[at] === 0x22) {
        const to = endOfPlain(chunk, at + 1);
        if (to >= end || chunk[to] !== 0x22) break;
        if (sieve !== undefined && (to - at > maxKey || sieve.mayHold(at + 1, to))) break;
        if (path.isDead) child = path;
        else {
          const next = paths.member(path, path.readsNames ? paths.nameOfBytes(chunk, at + 1, to) : -1);
          if (next.accepts.length > 0 && path.removesChildren) break;
          child = next;
        }
        hasKept = true;
        comma = -1;
        at = to + 1;
        state = beforeColon;
        if (child.accepts.length > 0) {
          limits.isMet = true;
          break;
        }
      } else if (state === beforeKey) break;
    }
    if (state === beforeColon) {
      while (at < end && isSpace[chunk[at] as number] === 1) at++;
      if (at >= end || chunk[at] !== 0x3a) break;
      at++;
      state = beforeValue;
    }
    if (state <= beforeItemOrEnd) {
      while (at < end && isSpace[chunk[at] as number] === 1) at++;
      if (at >= end) break;
      byte = chunk[at] as number;
      if (byte !== 0x5d || state === beforeValue) {
        if (!isObject) {
          if (path.isDead) child = path;
          else {
            const next = paths.item(path, index);
            if (next.accepts.length > 0) break;
            child = next;
          }
        }
        if (byte === 0x22) {
          let to = endOfPlain(chunk, at + 1);
          if (to >= end) break;
          if (sieve !== undefined) {
            if (chunk[to] !== 0x22 || sieve.mayHold(at + 1, to)) break;
          } else if (chunk[to] !== 0x22) {
            to = endOfEscaped(chunk, to);
            if (to < 0) break;
          }
          at = to + 1;
        } else if (byte === 0x7b || byte === 0x5b) {
          if (depth >= maxDepth) break;
          const frame = outer[depth];
          if (frame === undefined) outer.push({ isObject, path, index, hasKept: true });
          else {
            frame.isObject = isObject;
            frame.path = path;
            frame.index = index;
            frame.hasKept = true;
          }
          depth++;
          isObject = byte === 0x7b;
          path = child;
          index = 0;
          hasKept = false;
          comma = -1;
          state = isObject ? beforeKeyOrEnd : beforeItemOrEnd;
          at++;
          continue;
        } else {
          const to = byte >= 0x61 ? endOfLiteral(chunk, at) : endOfNumber(chunk, at);
          if (to < 0) break;
          if (sieve !== undefined && byte < 0x61) {
            if (to - at > maxNumber || sieve.mayHold(at, to)) break;
            if (integerText(chunk.toString("latin1", at, to)) !== undefined) break;
          }
          at = to;
        }
        hasKept = true;
        comma = -1;
        state = behindValue;
      }
    }
    // Here a value is over, or an empty array or object ends.
    for (;;) {
      while (at < end && isSpace[chunk[at] as number] === 1) at++;
      if (at >= end) break reading;
      byte = chunk[at] as number;
      if (byte === 0x2c) {
        if (state !== behindValue) break reading;
        if (path.removesChildren) {
          if (!hasKept) break reading;
          comma = at;
        }
        index++;
        at++;
        state = isObject ? beforeKey : beforeValue;
        break;
      }
      if (byte !== (isObject ? 0x7d : 0x5d) || depth === floor + 1) break reading;
      depth--;
      const frame = outer[depth] as Container;
      isObject = frame.isObject;
      path = frame.path;
      index = frame.index;
      hasKept = frame.hasKept;
      state = behindValue;
      at++;
    }
  }

  if (comma >= 0) {
    at = comma;
    state = behindValue;
    index--;
  }
  place.state = state;
  place.depth = depth;
  place.isObject = isObject;
  place.path = path;
  place.index = index;
  place.hasKept = hasKept;
  place.child = child;
  return at;
}

const isSpace = new Uint8Array(256);
for (const char of " \t\n\r") isSpace[char.charCodeAt(0)] = 1;

/** Where the closing quote of a string is that goes on with a backslash at `from`; -1: not in the chunk, or malformed. */
function endOfEscaped(chunk: Buffer, from: number): number {
  const end = chunk.length;
  for (let at = from; at < end; at++) {
    const byte = chunk[at] as number;
    if (endsPlain[byte] === 0) continue;
    if (byte === 0x22) return at;
    if (byte !== 0x5c) return -1;
    const kind = at + 1 < end ? (chunk[++at] as number) : 0;
    if (isShort[kind] === 1) continue;
    if (kind !== 0x75 || at + 4 >= end) return -1;
    for (let n = 0; n < 4; n++) if (isHex[chunk[++at] as number] === 0) return -1;
  }
  return -1;
}

const isShort = new Uint8Array(256);
for (const char of '"\\/bfnrt') isShort[char.charCodeAt(0)] = 1;
const isHex = new Uint8Array(256);
for (const char of "0123456789abcdefABCDEF") isHex[char.charCodeAt(0)] = 1;

const digits = new Uint8Array(256);
digits.fill(1, 0x30, 0x3a);

/** Behind the number at `from`; -1: it may go on behind the chunk, or is none. */
function endOfNumber(chunk: Buffer, from: number): number {
  const end = chunk.length;
  let at = chunk[from] === 0x2d ? from + 1 : from;
  let first = at;
  while (at < end && digits[chunk[at] as number] === 1) at++;
  if (at === first || (chunk[first] === 0x30 && at > first + 1)) return -1;
  if (at < end && chunk[at] === 0x2e) {
    first = ++at;
    while (at < end && digits[chunk[at] as number] === 1) at++;
    if (at === first) return -1;
  }
  if (at < end && ((chunk[at] as number) | 0x20) === 0x65) {
    at++;
    if (at < end && (chunk[at] === 0x2b || chunk[at] === 0x2d)) at++;
    first = at;
    while (at < end && digits[chunk[at] as number] === 1) at++;
    if (at === first) return -1;
  }
  return at < end ? at : -1;
}

/** Behind `true`, `false` or `null` at `from`; -1: it is not all in the chunk, or none of them. */
function endOfLiteral(chunk: Buffer, from: number): number {
  const literal = chunk[from] === 0x74 ? "true" : chunk[from] === 0x66 ? "false" : "null";
  if (from + literal.length > chunk.length) return -1;
  for (let n = 0; n < literal.length; n++) if (chunk[from + n] !== literal.charCodeAt(n)) return -1;
  return from + literal.length;
}
