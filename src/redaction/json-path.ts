import type { PathStep } from "./rules.js";

/** A path that was read, or what is wrong with its text. `column` counts from 1. */
export type PathResult =
  | { readonly steps: readonly PathStep[] }
  | { readonly message: string; readonly column: number };

/** Steps of a path at most: what follows `..` is looked for at every depth. */
const maxSteps = 32;

/** Array items are counted no further by any JSON reader. */
const maxIndex = 0xffff_ffff;

const bareName = /[^\s.[\]'"*?@(),:$\\]+/y;
const digits = /\d+/y;

/**
 * Reads `$.a.b`, `$['a b']`, `$.items[*].x`, `$.list[0]`, `$..ssn`, `$..*`: RFC 9535's names, items and
 * wildcards, without negative items, slices, lists and filters. `$` alone is the whole document.
 */
export function parsePath(text: string): PathResult {
  if (!text.startsWith("$")) return { message: "a path begins with `$`", column: 1 };
  const steps: PathStep[] = [];
  let at = 1;
  while (at < text.length) {
    if (steps.length >= maxSteps) return { message: `a path has at most ${maxSteps} steps`, column: at + 1 };
    if (text.startsWith("..", at)) {
      steps.push({ kind: "descend" });
      at += text[at + 2] === "[" ? 2 : 1;
    }
    const read = text[at] === "[" ? readBracket(text, at) : readDot(text, at);
    if ("message" in read) return read;
    steps.push(read.step);
    at = read.end;
  }
  return { steps };
}

/** The shortest text that gives these steps. */
export function formatPath(steps: readonly PathStep[]): string {
  let text = "$";
  let descends = false;
  for (const step of steps) {
    if (step.kind === "descend") {
      text += "..";
      descends = true;
      continue;
    }
    if (step.kind === "item") text += `[${step.index}]`;
    else if (step.kind === "all") text += descends ? "*" : "[*]";
    else if (isBare(step.name)) text += descends ? step.name : `.${step.name}`;
    else text += `['${step.name.replace(/[\\']/g, "\\$&")}']`;
    descends = false;
  }
  return text;
}

type StepResult =
  | { readonly step: PathStep; readonly end: number }
  | { readonly message: string; readonly column: number };

/** `.name` or `.*`. */
function readDot(text: string, at: number): StepResult {
  if (text[at] !== ".") return { message: `expected \`.\` or \`[\`, not \`${text[at]}\``, column: at + 1 };
  if (text[at + 1] === "*") return { step: { kind: "all" }, end: at + 2 };
  const end = skip(bareName, text, at + 1);
  if (end === at + 1) return { message: "expected a name or `*` behind the dot", column: at + 2 };
  return { step: { kind: "member", name: text.slice(at + 1, end) }, end };
}

/** `['name']`, `["name"]`, `[0]` or `[*]`. */
function readBracket(text: string, at: number): StepResult {
  const first = text[at + 1];
  if (first === "'" || first === '"') return readQuoted(text, at + 1, first);
  const end = first === "*" ? at + 2 : skip(digits, text, at + 1);
  if (end === at + 1)
    return { message: "expected a quoted name, a number or `*` in brackets", column: at + 2 };
  if (text[end] !== "]") return { message: "expected `]`", column: end + 1 };
  if (first === "*") return { step: { kind: "all" }, end: end + 1 };
  const index = Number(text.slice(at + 1, end));
  if (index > maxIndex) return { message: `an item is at most ${maxIndex}`, column: at + 2 };
  return { step: { kind: "item", index }, end: end + 1 };
}

/** A backslash makes the quote or backslash behind it a character. */
function readQuoted(text: string, open: number, quote: string): StepResult {
  let name = "";
  for (let at = open + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === quote) {
      if (text[at + 1] !== "]") return { message: "expected `]`", column: at + 2 };
      return { step: { kind: "member", name }, end: at + 2 };
    }
    if (char !== "\\") name += char;
    else if (text[at + 1] === "\\" || text[at + 1] === quote) name += text.charAt(++at);
    else return { message: "a backslash escapes only the quote or a backslash", column: at + 1 };
  }
  return { message: "the quoted name does not end", column: open + 1 };
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

function isBare(name: string): boolean {
  return name !== "" && skip(bareName, name, 0) === name.length;
}
