import type { Buffer } from "node:buffer";
import { nameHint } from "./json-automaton.js";
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
import {
  endOfDigits,
  endOfEscaped,
  endOfLiteral,
  endOfNumber,
  endOfPlain,
  endOfSpace,
} from "./json-token.js";

/**
 * Reads on from `from` where nothing has to be done but to go on: whole keys, strings, numbers and literals
 * that no rule or detector is for. Stops at anything else, at what leaves the chunk, and at what is no JSON:
 * gives where, and the place is as if all before had been read byte by byte. It is the quick way through most
 * of a body, and never the only one. All in one function, and without a call for what stands between tokens:
 * measured.
 */
export function skim(place: Place, chunk: Buffer, from: number, limits: SkimLimits): number {
  const { paths, outer, maxDepth } = place;
  const { floor, sieve } = limits;
  const { nameHints } = paths;
  const end = chunk.length;
  let { state, depth, isObject, path, index, hasKept, child } = place;
  let at = from;
  let to = 0;
  let byte = 0;
  /**
   * The comma before a value that may be removed, until it is known to stay: only then it was read. -1: none.
   */
  let comma = -1;

  reading: for (;;) {
    if (state === beforeKey || state === beforeKeyOrEnd) {
      if (at >= end) break;
      byte = chunk[at] as number;
      if (byte <= 0x20) {
        at = endOfSpace(chunk, at);
        if (at >= end) break;
        byte = chunk[at] as number;
      }
      if (byte === 0x22) {
        to = endOfPlain(chunk, at + 1);
        if (to >= end || chunk[to] !== 0x22) break;
        if (sieve !== undefined && (to - at > maxKey || sieve.mayHold(at + 1, to))) break;
        if (path.isDead) child = path;
        else {
          const hint = nameHint(chunk[at + 1] as number, to - at - 1);
          const name = path.readsNames && nameHints[hint] === 1 ? paths.nameOfBytes(chunk, at + 1, to) : -1;
          const next = name < 0 ? (path.others ?? paths.member(path, name)) : paths.member(path, name);
          if (next.isEnd) {
            if (path.removesChildren) break;
            limits.isMet = true;
          }
          child = next;
        }
        hasKept = true;
        comma = -1;
        at = to + 1;
        state = beforeColon;
        if (child.isEnd) break;
      } else if (state === beforeKey) break;
    }
    if (state === beforeColon) {
      if (at >= end) break;
      if (chunk[at] !== 0x3a) {
        at = endOfSpace(chunk, at);
        if (at >= end || chunk[at] !== 0x3a) break;
      }
      at++;
      state = beforeValue;
    }
    if (state <= beforeItemOrEnd) {
      if (at >= end) break;
      byte = chunk[at] as number;
      if (byte <= 0x20) {
        at = endOfSpace(chunk, at);
        if (at >= end) break;
        byte = chunk[at] as number;
      }
      if (byte !== 0x5d || state === beforeValue) {
        if (!isObject) {
          if (path.isDead) child = path;
          else {
            const next = paths.item(path, index);
            if (next.isEnd) break;
            child = next;
          }
        }
        if (byte === 0x22) {
          to = endOfPlain(chunk, at + 1);
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
          to = byte >= 0x61 ? endOfLiteral(chunk, at) : endOfNumber(chunk, at);
          if (to < 0) break;
          if (sieve !== undefined && byte < 0x61) {
            if (to - at > maxNumber || sieve.mayHold(at, to)) break;
            const isInteger = endOfDigits(chunk, at + 1) === to;
            if (!isInteger && integerText(chunk.toString("latin1", at, to)) !== undefined) break;
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
      if (at >= end) break reading;
      byte = chunk[at] as number;
      if (byte <= 0x20) {
        at = endOfSpace(chunk, at);
        if (at >= end) break reading;
        byte = chunk[at] as number;
      }
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
