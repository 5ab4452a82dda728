import { BuiltinError } from "./builtin.js";
import { LimitError } from "./limit.js";

/** A character, a set of them, or any; `+` and `*` repeat it. */
interface Token {
  /** Ranges of code points; undefined is any character. */
  readonly ranges: readonly (readonly [number, number])[] | undefined;
  readonly flag: "" | "+" | "*";
}

/** Tokens beyond which globs are refused: comparing takes time that grows with their cube. */
const maxTokens = 100;

/** Characters of a glob, sets included. */
const maxLength = 1000;

/**
 * Whether two globs of `.`, `[a-z]`, `*` and `+` have a string in common, as
 * github.com/yashtewari/glob-intersection says, which does not see it in every case. Throws a BuiltinError
 * when one is no glob.
 */
export function globsMatch(left: string, right: string): boolean {
  const trimmed = trim(tokensOf(left), tokensOf(right));
  return trimmed !== undefined && intersection(trimmed[0], trimmed[1]);
}

const flagged = new Set(["+", "*"]);

function tokensOf(text: string): readonly Token[] {
  if (text.length > maxLength) throw new LimitError(`glob of more than ${maxLength} characters`);
  const chars = Array.from(text);
  const tokens: Token[] = [];
  let at = 0;
  while (at < chars.length) {
    const char = chars[at] ?? "";
    let ranges: Token["ranges"];
    if (flagged.has(char) || char === "]") throw new BuiltinError(`unexpected ${char} in a glob`);
    if (char === "[") {
      const set = setAt(chars, at + 1);
      ranges = set.ranges;
      at = set.end;
    } else if (char === ".") {
      at++;
    } else {
      const [code, end] = runeAt(chars, at);
      ranges = [[code, code]];
      at = end;
    }
    const flag = chars[at] === "+" || chars[at] === "*" ? (chars[at] as "+" | "*") : "";
    if (flag !== "") at++;
    else if (chars[at] === "\\" && at === chars.length - 1) throw new BuiltinError("glob ends with \\");
    push(tokens, { ranges, flag });
  }
  if (tokens.length > maxTokens) throw new LimitError(`glob of more than ${maxTokens} characters`);
  return tokens;
}

/** The character at a place, behind a backslash if there is one, and the place behind it. */
function runeAt(chars: readonly string[], at: number): readonly [code: number, end: number] {
  const isEscaped = chars[at] === "\\";
  const char = chars[isEscaped ? at + 1 : at];
  if (char === undefined) throw new BuiltinError("glob ends too early");
  return [char.codePointAt(0) ?? 0, isEscaped ? at + 2 : at + 1];
}

interface SetToken {
  readonly ranges: readonly (readonly [number, number])[];
  readonly end: number;
}

function setAt(chars: readonly string[], start: number): SetToken {
  const ranges: (readonly [number, number])[] = [];
  let previous: number | undefined;
  let at = start;
  while (chars[at] !== "]") {
    if (chars[at] === "-") {
      // The end of a range may not be the end of the glob.
      if (previous === undefined || at + 1 >= chars.length - 1) throw new BuiltinError("range has no end");
      if (chars[at + 1] === "]" || chars[at + 1] === "-") throw new BuiltinError("range has no end");
      const [high, end] = runeAt(chars, at + 1);
      if (high < previous) throw new BuiltinError("range is out of order");
      ranges.push([previous, high]);
      previous = undefined;
      at = end;
    } else {
      const [code, end] = runeAt(chars, at);
      ranges.push([code, code]);
      previous = code;
      at = end;
    }
  }
  return { ranges, end: at + 1 };
}

/** Of equal repeated tokens in a row one is enough. */
function push(tokens: Token[], token: Token): void {
  const last = tokens.at(-1);
  if (last === undefined || last.flag === "" || token.flag === "" || !isEqual(last, token))
    tokens.push(token);
  else if (token.flag === "+") tokens[tokens.length - 1] = token;
}

function isEqual(a: Token, b: Token): boolean {
  return JSON.stringify(mergedRanges(a)) === JSON.stringify(mergedRanges(b));
}

function mergedRanges({ ranges }: Token): readonly (readonly [number, number])[] | null {
  if (ranges === undefined) return null;
  const merged: [number, number][] = [];
  for (const [low, high] of [...ranges].sort(([a], [b]) => a - b)) {
    const last = merged.at(-1);
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else merged.push([low, high]);
  }
  return merged;
}

function overlap(a: Token, b: Token): boolean {
  if (a.ranges === undefined || b.ranges === undefined) return true;
  const others = b.ranges;
  return a.ranges.some(([low, high]) => others.some(([from, to]) => from <= high && low <= to));
}

type Pair = readonly [readonly Token[], readonly Token[]];

/**
 * Without what is equal in front and behind, up to one token; undefined when something there does not match.
 */
function trim(a: readonly Token[], b: readonly Token[]): Pair | undefined {
  const plain = (x: Token | undefined, y: Token | undefined): boolean => x?.flag === "" && y?.flag === "";
  const differ = (x: Token | undefined, y: Token | undefined): boolean =>
    x !== undefined && y !== undefined && !overlap(x, y);
  let start = 0;
  for (; plain(a[start], b[start]); start++) if (differ(a[start], b[start])) return undefined;
  if (start > 0) start--;
  let cut = 0;
  for (; a.length - cut > start && b.length - cut > start; cut++) {
    const [x, y] = [a[a.length - 1 - cut], b[b.length - 1 - cut]];
    if (!plain(x, y)) break;
    if (differ(x, y)) return undefined;
  }
  if (cut > 0) cut--;
  return [a.slice(start, a.length - cut), b.slice(start, b.length - cut)];
}

/** The algorithm of the Go library, with each answer found once. */
function intersection(a: readonly Token[], b: readonly Token[]): boolean {
  const sides = [a, b];
  const known = new Map<number, boolean>();
  const stars = new Map<number, boolean>();
  const overlaps = new Map<number, boolean>();
  const at = (side: number, index: number): Token | undefined => sides[side]?.[index];
  const length = (side: number): number => sides[side]?.length ?? 0;

  /** Whether two tokens have a character in common. */
  const match = (side: number, own: number, other: number): boolean => {
    const key = side === 0 ? own * (maxTokens + 1) + other : other * (maxTokens + 1) + own;
    const [x, y] = [at(side, own), at(1 - side, other)];
    const answer = overlaps.get(key) ?? (x !== undefined && y !== undefined && overlap(x, y));
    overlaps.set(key, answer);
    return answer;
  };
  /**
   * Whether the rests from i of `a` and from j of `b` intersect; where both could repeat, the first side
   * does.
   */
  const normal = (i: number, j: number, first: number): boolean => {
    const key = (first * (maxTokens + 1) + i) * (maxTokens + 1) + j;
    const before = known.get(key);
    if (before !== undefined) return before;
    const answer = step(i, j, first);
    known.set(key, answer);
    return answer;
  };
  const step = (i: number, j: number, first: number): boolean => {
    const [x, y] = [at(0, i), at(1, j)];
    if (x === undefined || y === undefined) return x === y;
    if (x.flag === "" && y.flag === "") return match(0, i, j) && normal(i + 1, j + 1, first);
    const side = (first === 0 ? x.flag : y.flag) === "" ? 1 - first : first;
    const [own, other] = side === 0 ? [i, j] : [j, i];
    return (side === 0 ? x : y).flag === "+" ? plus(side, own, other) : star(side, own, other);
  };
  const onSide = (side: number, own: number, other: number): boolean =>
    side === 0 ? normal(own, other, side) : normal(other, own, side);
  const plus = (side: number, own: number, other: number): boolean => {
    if (!match(side, own, other)) return false;
    return star(side, own, other + 1) || (at(1 - side, other)?.flag !== "" && onSide(side, own + 1, other));
  };
  const star = (side: number, own: number, other: number): boolean => {
    const key = (side * (maxTokens + 1) + own) * (maxTokens + 2) + other;
    const before = stars.get(key);
    if (before !== undefined) return before;
    const isLast = own + 1 >= length(side);
    const isOver = other >= length(1 - side);
    const answer = isOver
      ? isLast
      : (!isLast && match(side, own + 1, other) && onSide(side, own + 1, other)) ||
        (match(side, own, other) && star(side, own, other + 1));
    stars.set(key, answer);
    return answer;
  };
  return normal(0, 0, 0);
}
