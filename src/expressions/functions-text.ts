import { RE2JS } from "re2js";
import { lowerAscii } from "../attributes/index.js";
import { type Budget, spend, spendText } from "./budget.js";
import { ExpressionError } from "./expression-error.js";
import type { Apply, FunctionEntry } from "./function-entry.js";
import { isPlain } from "./text.js";
import { listOf, type Type, types } from "./type.js";

const text = ["string"] as const;
const whole = ["int"] as const;

function onTexts(name: string, count: 1 | 2, result: Type, apply: Apply): FunctionEntry {
  return { name, form: "method", parameters: count === 1 ? [text] : [text, text], result, bind: () => apply };
}

/** What a text is asked, and what is cut out of it; positions count code points. */
export const textFunctions: readonly FunctionEntry[] = [
  onTexts("startsWith", 2, types.bool, (frame, a, b) => {
    spendText(frame, (b as string).length);
    return (a as string).startsWith(b as string);
  }),
  onTexts("endsWith", 2, types.bool, (frame, a, b) => {
    spendText(frame, (b as string).length);
    return (a as string).endsWith(b as string);
  }),
  onTexts("contains", 2, types.bool, (frame, a, b) => {
    spendSearch(frame, a as string, b as string);
    return (a as string).includes(b as string);
  }),
  onTexts("trim", 1, types.string, (frame, a) => {
    spendText(frame, (a as string).length);
    return (a as string).trim();
  }),
  {
    ...onTexts("lowerAscii", 1, types.string, (frame, a) => {
      spendText(frame, (a as string).length << 2);
      return lowerAscii(a as string);
    }),
    form: "both",
  },
  {
    ...onTexts("upperAscii", 1, types.string, (frame, a) => {
      spendText(frame, (a as string).length << 2);
      return (a as string).replace(/[a-z]+/g, (part) => part.toUpperCase());
    }),
    form: "both",
  },
  {
    name: "matches",
    form: "both",
    parameters: [text, text],
    literals: [1],
    result: types.bool,
    bind: ([, pattern]) => matching(pattern as string),
  },
  {
    name: "split",
    form: "method",
    parameters: [text, text, whole],
    optional: 1,
    result: listOf(types.string),
    bind: () => (frame, a, b, limit) => split(frame, a as string, b as string, limit as bigint | null),
  },
  {
    name: "substring",
    form: "method",
    parameters: [text, whole, whole],
    optional: 1,
    result: types.string,
    bind: () => (frame, a, start, end) =>
      substring(frame, a as string, start as bigint, end as bigint | null),
  },
];

/** A search is at worst the product of both lengths, of which the engine looks back at a part. */
function spendSearch(budget: Budget, within: string, part: string): void {
  spendText(budget, within.length * (1 + (Math.min(part.length, 256) >> 3)));
}

/** Instructions of a compiled regular expression: with more even a linear match is slow. */
const maxProgram = 200;

/** RE2 syntax, found anywhere in the text; linear in it. */
function matching(pattern: string): Apply {
  if (pattern.length > 1024) throw new Error("the regular expression is longer than 1024 characters");
  const compiled = compileRe2(pattern);
  const size = compiled.programSize();
  if (size > maxProgram) throw new Error("the regular expression is too large");
  return (frame, value) => {
    spend(frame, 30 + (value as string).length * size);
    return compiled.test(value as string);
  };
}

function compileRe2(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch {
    throw new Error(`\`${pattern}\` is no regular expression in RE2 syntax`);
  }
}

/** At most `limit` parts, of which the last has the rest; all without, or with a negative one. */
function split(budget: Budget, value: string, separator: string, limit: bigint | null): readonly string[] {
  spendSearch(budget, value, separator);
  if (limit === 0n) return [];
  const most = limit === null || limit < 0n ? Number.POSITIVE_INFINITY : Number(limit);
  const parts: string[] = [];
  if (separator === "") {
    spend(budget, value.length * 2);
    const characters = [...value];
    return characters.length <= most
      ? characters
      : [...characters.slice(0, most - 1), characters.slice(most - 1).join("")];
  }
  let from = 0;
  for (
    let at = value.indexOf(separator);
    at >= 0 && parts.length < most - 1;
    at = value.indexOf(separator, from)
  ) {
    spend(budget, 2);
    parts.push(value.slice(from, at));
    from = at + separator.length;
  }
  parts.push(value.slice(from));
  return parts;
}

const outside = new ExpressionError("`substring` has a position outside of the text");

function substring(budget: Budget, value: string, start: bigint, end: bigint | null): string {
  spendText(budget, value.length);
  const plain = isPlain(value);
  if (!plain) spend(budget, value.length * 2);
  const characters = plain ? value : [...value];
  const [from, to] = [Number(start), end === null ? characters.length : Number(end)];
  if (from < 0 || to > characters.length || from > to) throw outside;
  return typeof characters === "string" ? characters.slice(from, to) : characters.slice(from, to).join("");
}
