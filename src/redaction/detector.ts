import type { ByteString } from "../attributes/index.js";

/** Where the next match of a detector is, as far as the text that is there tells. Written by `find`. */
export interface Found {
  /** No match begins before it. The text's length: none begins in what is there. */
  start: number;
  /** Of the match at `start`; 0: more text is needed to say whether there is one, and how long it is. */
  length: number;
}

/**
 * Finds one kind of thing in a text, one character a byte. INVARIANT: whether and how long something matches
 * at a start is a function of the whole text, read from the byte before the start on, one byte after
 * another; where that needs a byte beyond the text that is there, `find` says so. So the result never
 * depends on how the text was cut.
 */
export interface Detector {
  /** Bytes from a start on that may be read: the longest match and one more. */
  readonly reach: number;
  /**
   * A regular expression that finds a place in every match, undefined if there is none. Before a match in a text of its own
   * it takes a quote for what is there nothing.
   */
  readonly hint: string | undefined;
  /** The first match that begins at `from` or later; of a `final` text nothing more follows. */
  find(text: ByteString, from: number, final: boolean, found: Found): void;
}

/** More text is needed. */
export const undecided = -1;

/** Length of the match that begins at `at`; 0: none; or `undecided`. */
export type MatchAt = (text: ByteString, at: number, final: boolean) => number;

/**
 * A detector that goes from one possible start to the next. `starts` finds `width` bytes with which every
 * match begins; it has to be without capture groups and quantifiers.
 */
export function seeking(reach: number, starts: string, width: number, matchAt: MatchAt): Detector {
  const seeker = new RegExp(starts, "g");
  return {
    reach,
    hint: starts,
    find: (text, from, final, found) => {
      for (let at = from; ; at++) {
        seeker.lastIndex = at;
        if (!seeker.test(text)) break;
        at = seeker.lastIndex - width;
        const length = matchAt(text, at, final);
        if (length === 0) continue;
        found.start = at;
        found.length = length === undecided ? 0 : length;
        return;
      }
      // Starts so near to the end that the seeker cannot see them.
      found.length = 0;
      found.start = text.length;
      if (final) return;
      for (let at = Math.max(from, text.length - width + 1); at < text.length; at++) {
        if (matchAt(text, at, false) === 0) continue;
        found.start = at;
        return;
      }
    },
  };
}

/** Whether a byte is an ASCII digit. */
export function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

/** Whether a byte is an ASCII letter or digit; −1, the text's end, is none. */
export function isAlphanumeric(byte: number): boolean {
  return isDigit(byte) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122);
}

/** The byte before `at`; −1 at the text's begin. */
export function byteBefore(text: ByteString, at: number): number {
  return at > 0 ? text.charCodeAt(at - 1) : -1;
}
