import { bytesOf, textOf } from "./bytes.js";
import { isAscii } from "./go-unicode.js";
import { LimitError } from "./limit.js";

/** Characters of a result beyond which it is refused. */
const maxLength = 1 << 22;

/** Characters that are compared, at most. */
const maxTries = 10_000_000;

/**
 * Go's strings.Replacer: at each place the first of the pairs that fits there. An empty text is found between
 * bytes, not characters, which it tears apart.
 */
export function replaced(text: string, pairs: readonly (readonly [string, string])[]): string {
  if (isAscii(text) || pairs.every(([old]) => old !== "")) return replacedUnits(text, pairs);
  const binary = pairs.map(([old, by]): readonly [string, string] => [toBinary(old), toBinary(by)]);
  return textOf(Buffer.from(replacedUnits(toBinary(text), binary), "latin1"));
}

function toBinary(text: string): string {
  return Buffer.from(bytesOf(text)).toString("latin1");
}

interface Replacement {
  readonly old: string;
  readonly by: string;
  /** Its place among all. */
  readonly rank: number;
}

function replacedUnits(text: string, pairs: readonly (readonly [string, string])[]): string {
  const byFirst = new Map<string, { readonly texts: Replacement[]; length: number }>();
  let empty: Replacement | undefined;
  for (const [rank, [old, by]] of pairs.entries()) {
    const first = old.charAt(0);
    const others = byFirst.get(first);
    if (old === "") empty ??= { old, by, rank };
    else if (others === undefined) byFirst.set(first, { texts: [{ old, by, rank }], length: old.length });
    else {
      others.texts.push({ old, by, rank });
      others.length += old.length;
    }
  }
  const parts: string[] = [];
  let [length, from, at, tried] = [0, 0, 0, 0];
  let wasEmpty = false;
  while (at <= text.length) {
    const candidates = byFirst.get(text.charAt(at));
    tried += candidates?.length ?? 0;
    if (tried > maxTries) throw new LimitError("replacing takes too long");
    let found = candidates?.texts.find(({ old }) => text.startsWith(old, at));
    if (empty !== undefined && !wasEmpty && (found === undefined || empty.rank < found.rank)) found = empty;
    wasEmpty = found?.old === "";
    if (found === undefined) {
      at++;
      continue;
    }
    length += at - from + found.by.length;
    if (length > maxLength) throw new LimitError(`text of more than ${maxLength} characters`);
    parts.push(text.slice(from, at), found.by);
    at += found.old.length;
    from = at;
  }
  parts.push(text.slice(from));
  return parts.join("");
}
