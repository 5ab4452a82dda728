import type { PathAutomaton, PathState } from "./json-automaton.js";
import type { Sieve } from "./sieve.js";

// What the next byte is read as. White space passes in the first seven.
export const beforeValue = 0;
export const beforeItemOrEnd = 1;
export const beforeKeyOrEnd = 2;
export const beforeKey = 3;
export const beforeColon = 4;
export const behindValue = 5;
export const behindDocument = 6;
export const inString = 7;
export const inNumber = 8;
export const inLiteral = 9;

/** Bytes of a key, and of a number, that detectors look at: more is refused. */
export const maxKey = 16_384;
export const maxNumber = 4_096;

/** An array or object that is open. */
export interface Container {
  isObject: boolean;
  path: PathState;
  /** Of the item or member that comes or is read. */
  index: number;
  /** Something in it goes on. */
  hasKept: boolean;
}

/** Where in a document its reader is. Shared by the two that read it, and changed by both. */
export interface Place extends Container {
  readonly paths: PathAutomaton;
  readonly maxDepth: number;
  /** One of the numbers above. */
  state: number;
  depth: number;
  /** By depth, those around the open one. Reused. */
  readonly outer: Container[];
  /** Of the value that comes or is read: in an object from its key on, in an array from its first byte on. */
  child: PathState;
}

/** Before a document. */
export function createPlace(paths: PathAutomaton, maxDepth: number): Place {
  return {
    isObject: false,
    path: paths.dead,
    index: 0,
    hasKept: false,
    paths,
    maxDepth,
    state: beforeValue,
    depth: 0,
    outer: [],
    child: paths.root,
  };
}

/** Into an array or object that begins. */
export function enter(place: Place, isObject: boolean, path: PathState): void {
  const { outer, depth } = place;
  const around = outer[depth];
  if (around === undefined) {
    outer.push({ isObject: place.isObject, path: place.path, index: place.index, hasKept: place.hasKept });
  } else {
    around.isObject = place.isObject;
    around.path = place.path;
    around.index = place.index;
    around.hasKept = place.hasKept;
  }
  place.depth++;
  place.isObject = isObject;
  place.path = path;
  place.index = 0;
  place.hasKept = false;
  place.state = isObject ? beforeKeyOrEnd : beforeItemOrEnd;
}

/** Out of the one that ends. */
export function leave(place: Place): void {
  place.depth--;
  const around = place.outer[place.depth] as Container;
  place.isObject = around.isObject;
  place.path = around.path;
  place.index = around.index;
  place.hasKept = around.hasKept;
}

/** What the quick reader heeds. */
export interface SkimLimits {
  /** It stays deeper than that. */
  floor: number;
  /** What detectors may find something in is not for it; undefined: there are no detectors. */
  sieve: Sieve | undefined;
  /** It has read a key whose value a rule may be for. */
  isMet: boolean;
}
