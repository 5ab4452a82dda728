import type { ByteString } from "../attributes/index.js";
import { byteBefore, type Detector, type MatchAt, seeking, undecided } from "./detector.js";
import { type Automaton, automatonOf, dead, endOfText } from "./pattern-automaton.js";
import { programOf } from "./pattern-syntax.js";

/** Bounds of `maxLength`. */
const leastLength = 1;
const mostLength = 4096;

/** Bytes at the start that are looked for before anything else. */
const mostSeek = 3;

/**
 * Why a pattern cannot be used as a detector, to be put behind the pattern in a message; undefined: it can.
 */
export function checkPattern(pattern: string, maxLength: number): string | undefined {
  if (!Number.isInteger(maxLength) || maxLength < leastLength || maxLength > mostLength)
    return `has a maxLength of ${maxLength}, expected ${leastLength} to ${mostLength} bytes`;
  try {
    const automaton = automatonOf(programOf(pattern));
    if ((automaton.step(automaton.start(-1), endOfText) & 1) === 1)
      return "matches the empty text, expected one byte at the least";
    return startsOf(automaton) === undefined ? "matches nothing" : undefined;
  } catch (error) {
    return `is not valid: ${error instanceof Error ? error.message : "expected RE2 syntax"}`;
  }
}

/**
 * Finds what an RE2 pattern matches, byte by byte, `maxLength` bytes at the most: from each start it reads
 * so far and takes the match that RE2 prefers among those that end there or before. It neither begins nor
 * ends within a character. Throws where `checkPattern` says something.
 */
export function ownPattern(pattern: string, maxLength: number): Detector {
  const reason = checkPattern(pattern, maxLength);
  if (reason !== undefined) throw new Error(`pattern \`${pattern}\` ${reason}`);
  const automaton = automatonOf(programOf(pattern));
  const starts = startsOf(automaton) ?? [];
  const regex = starts.length === 0 ? "[^]" : starts.map(classOf).join("");
  const { matchAt, forget } = matcher(automaton, maxLength);
  // The byte behind the match, and what is missing of a character.
  const detector = seeking(maxLength + 4, regex, Math.max(1, starts.length), matchAt);
  return {
    reach: detector.reach,
    hint: starts.length === 0 ? undefined : regex,
    find: (text, from, final, found) => {
      forget();
      detector.find(text, from, final, found);
    },
  };
}

/**
 * Sets of the bytes with which a match begins, one for each place that every match has; undefined: nothing
 * matches.
 */
function startsOf(automaton: Automaton): Uint8Array[] | undefined {
  const sets: Uint8Array[] = [];
  const age = automaton.generation;
  let level = new Set([-1, 10, 48, 32].map((byte) => automaton.start(byte)));
  while (sets.length < mostSeek && level.size <= 16) {
    const set = new Uint8Array(256);
    const following = new Set<number>();
    let ends = false;
    for (const state of level) {
      for (let byte = 0; byte <= endOfText; byte++) {
        const packed = automaton.step(state, byte);
        if ((packed & 1) === 1 && sets.length > 0) ends = true;
        if (packed >> 1 === dead || byte === endOfText) continue;
        set[byte] = 1;
        following.add(packed >> 1);
      }
    }
    // A match does not begin within a character.
    if (sets.length === 0) set.fill(0, 0x80, 0xc0);
    if (ends || automaton.generation !== age) break;
    if (!set.includes(1)) return undefined;
    sets.push(set);
    level = following;
  }
  return sets;
}

function classOf(set: Uint8Array): string {
  const bytes = [...set.keys()].filter((byte) => set[byte] === 1);
  return `[${bytes.map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}]`;
}

/** A run that found nothing, for those after it that come to be in the same state at the same place. */
interface Trail {
  from: number;
  /** The last byte that it read; −1: there is no trail. */
  end: number;
  /** After that byte. */
  state: number;
  /** Of the automaton. */
  generation: number;
  /** Its states at the places that `markEvery` divides. */
  marks: Int32Array<ArrayBuffer>;
}

const markEvery = 64;
const markCount = mostLength / markEvery + 4;

/**
 * Runs from one start after the other. A run that meets the trail of one before follows it without reading:
 * so a body costs some readings of each byte, and not as many as a match may be long, unless the pattern
 * itself counts.
 */
function matcher(automaton: Automaton, maxLength: number): { readonly matchAt: MatchAt; forget(): void } {
  const trail: Trail = { from: 0, end: -1, state: dead, generation: 0, marks: new Int32Array(markCount) };
  let spare = new Int32Array(markCount);

  /** Makes a run that found nothing the trail, if it read as far. */
  function follow(from: number, end: number, state: number, joinedAt: number): void {
    if (end < trail.end) return;
    if (joinedAt < 0) [trail.marks, spare] = [spare, trail.marks];
    else
      for (let i = Math.ceil(from / markEvery) * markEvery; i < joinedAt; i += markEvery)
        trail.marks[(i / markEvery) % markCount] = spare[(i / markEvery) % markCount] ?? dead;
    Object.assign(trail, { from, end, state, generation: automaton.generation });
  }

  return {
    forget: () => {
      trail.end = -1;
    },
    matchAt: (text, at, final) => {
      const first = text.charCodeAt(at);
      if (first >= 0x80 && first < 0xc0) return 0;
      const end = at + maxLength;
      let state = automaton.start(byteBefore(text, at));
      const { generation } = automaton;
      let joinedAt = -1;
      let best = 0;
      let i = at;
      for (; ; i++) {
        if (i >= text.length && !final) return undecided;
        if ((i & (markEvery - 1)) === 0 && best === 0 && automaton.generation === generation) {
          const mark = (i / markEvery) % markCount;
          const known = trail.generation === generation && i > trail.from && i <= trail.end;
          if (joinedAt < 0 && known && trail.marks[mark] === state) {
            joinedAt = i;
            i = trail.end;
            state = trail.state;
            if (state === dead) break;
            continue;
          }
          (joinedAt < 0 ? spare : trail.marks)[mark] = state;
        }
        const packed = automaton.step(state, i < text.length ? text.charCodeAt(i) : endOfText);
        if ((packed & 1) === 1) best = i - at;
        state = packed >> 1;
        if (state === dead || i === end) break;
      }
      if (best !== 0 || automaton.generation !== generation) trail.end = -1;
      else follow(at, i, state, joinedAt);
      return best === 0 ? 0 : wholeCharacter(text, at, at + best, final);
    },
  };
}

/** The length with the rest of a character of which the last byte is a part. */
function wholeCharacter(text: ByteString, at: number, end: number, final: boolean): number {
  if (text.charCodeAt(end - 1) < 0x80) return end - at;
  for (let i = end; ; i++) {
    if (i >= text.length) return final ? i - at : undecided;
    const byte = text.charCodeAt(i);
    if (byte < 0x80 || byte >= 0xc0 || i === end + 3) return i - at;
  }
}
