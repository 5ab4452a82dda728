import type { Buffer } from "node:buffer";
import type { Cover } from "./json-cover.js";
import type { Numbers } from "./json-numbers.js";
import type { Outlet } from "./json-outlet.js";
import {
  beforeColon,
  beforeItemOrEnd,
  beforeKey,
  beforeKeyOrEnd,
  beforeValue,
  behindDocument,
  behindValue,
  enter,
  inLiteral,
  inNumber,
  inString,
  leave,
  type Place,
} from "./json-place.js";
import type { Strings } from "./json-strings.js";
import { RedactionError } from "./transform.js";

/** Reads a document token by token, however it is cut. */
export interface Structure {
  /** From `at`, at a byte that is no white space or inside of something; gives where to read on. */
  readOn(chunk: Buffer, at: number): number;
}

interface Parts {
  readonly place: Place;
  readonly out: Outlet;
  readonly cover: Cover;
  readonly strings: Strings;
  readonly numbers: Numbers;
  /** Whether no byte of the document stands before this one. */
  readonly isFirst: (at: number) => boolean;
  readonly fail: (at: number) => never;
}

/** Of one body. */
export function createStructure(parts: Parts): Structure {
  const { place, out, cover, strings, numbers, isFirst, fail } = parts;
  let literal = "";
  let literalAt = 0;

  const open = (at: number, isObject: boolean): void => {
    cover.beginValue(at, false);
    if (place.depth >= place.maxDepth) {
      throw new RedactionError("malformed", `json is nested deeper than ${place.maxDepth} levels`);
    }
    cover.punctuate(isObject ? "{" : "[");
    enter(place, isObject, cover.isCovered ? place.paths.dead : place.child);
  };
  const close = (at: number): void => {
    cover.punctuate(place.isObject ? "}" : "]");
    leave(place);
    cover.endValue(at + 1);
  };
  const separate = (at: number): void => {
    cover.punctuate(",");
    place.index++;
    place.state = place.isObject ? beforeKey : beforeValue;
    if (cover.isCovered || !place.path.removesChildren) return;
    // The comma goes on with what follows it, so that none is left before a value that is removed.
    if (place.hasKept) out.mark(at);
    else {
      out.close(at);
      out.open(at + 1);
    }
  };
  const readLiteral = (chunk: Buffer, from: number): number => {
    let at = from;
    for (; at < chunk.length && literalAt < literal.length; at++) {
      if (chunk[at] !== literal.charCodeAt(literalAt)) fail(at);
      literalAt++;
    }
    if (literalAt === literal.length) {
      cover.punctuate(literal);
      cover.endValue(at);
    }
    return at;
  };
  const beginLiteral = (chunk: Buffer, at: number, text: string): number => {
    cover.beginValue(at, false);
    place.state = inLiteral;
    literal = text;
    literalAt = 1;
    return readLiteral(chunk, at + 1);
  };
  /** At the first byte of a value, or the end of an empty array. */
  const readValue = (chunk: Buffer, at: number, byte: number): number => {
    switch (byte) {
      case 0x22:
        return strings.begin(chunk, at, false);
      case 0x7b:
        open(at, true);
        return at + 1;
      case 0x5b:
        open(at, false);
        return at + 1;
      case 0x5d:
        if (place.state !== beforeItemOrEnd) fail(at);
        close(at);
        return at + 1;
      case 0x74:
        return beginLiteral(chunk, at, "true");
      case 0x66:
        return beginLiteral(chunk, at, "false");
      case 0x6e:
        return beginLiteral(chunk, at, "null");
      case 0xef:
        // A byte order mark is passed on.
        if (!isFirst(at) || chunk[1] !== 0xbb || chunk[2] !== 0xbf) fail(at);
        return 3;
    }
    if (byte !== 0x2d && !(byte >= 0x30 && byte <= 0x39)) fail(at);
    return numbers.begin(chunk, at);
  };

  return {
    readOn(chunk, at) {
      const byte = chunk[at] as number;
      switch (place.state) {
        case beforeValue:
        case beforeItemOrEnd:
          return readValue(chunk, at, byte);
        case inString:
          return strings.readOn(chunk, at);
        case inNumber:
          return numbers.readOn(chunk, at);
        case inLiteral:
          return readLiteral(chunk, at);
        case beforeColon:
          if (byte !== 0x3a) fail(at);
          cover.punctuate(":");
          place.state = beforeValue;
          return at + 1;
        case behindValue:
          if (byte === 0x2c) separate(at);
          else if (byte === (place.isObject ? 0x7d : 0x5d)) close(at);
          else fail(at);
          return at + 1;
        case behindDocument:
          return fail(at);
        case beforeKeyOrEnd:
          if (byte !== 0x7d) break;
          close(at);
          return at + 1;
        default:
      }
      // A key.
      return byte === 0x22 ? strings.begin(chunk, at, true) : fail(at);
    },
  };
}
