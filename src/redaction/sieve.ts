import type { ByteString } from "../attributes/index.js";

/** Tells quickly in which parts of a text nothing can be found. */
export interface Sieve {
  /** Of this text parts are asked for, from its front to its end. */
  begin(text: ByteString): void;
  /**
   * False: no detector finds anything in the part as a text of its own. A byte that is neither of a word nor
   * `.` nor `+` has to stand before it.
   */
  mayHold(from: number, to: number): boolean;
}

/** `hints`: of every match of a detector, one of them matches a piece that begins within it. */
export function createSieve(hints: readonly string[]): Sieve {
  const seekers = hints.map((hint) => new RegExp(hint, "g"));
  /** Where the next piece of each begins, and the first of them. */
  const next = seekers.map(() => -1);
  let nearest = -1;
  let text: ByteString = "";

  const seek = (from: number): void => {
    nearest = text.length;
    for (let n = 0; n < seekers.length; n++) {
      const seeker = seekers[n] as RegExp;
      if ((next[n] as number) < from) {
        seeker.lastIndex = from;
        next[n] = seeker.exec(text)?.index ?? text.length;
      }
      nearest = Math.min(nearest, next[n] as number);
    }
  };

  return {
    begin(whole) {
      text = whole;
      nearest = -1;
      next.fill(-1);
    },
    mayHold(from, to) {
      if (nearest < from) seek(from);
      return nearest < to;
    },
  };
}
