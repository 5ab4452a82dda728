import { arrayAt, stringAt } from "./arguments.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { type GlobNode, globNodes } from "./glob-pattern.js";
import { LimitError } from "./limit.js";
import { recent } from "./recent.js";
import type { Value } from "./value.js";

/** Globs (v1/topdown/glob.go). */
export const glob: Builtins = {
  "glob.match": (args) => {
    const [pattern, delimiters, text] = [stringAt(args, 0), delimitersAt(args), stringAt(args, 2)];
    return matcherOf(JSON.stringify([pattern, delimiters]))(text);
  },
  "glob.quote_meta": (args) => stringAt(args, 0).replace(/[*?\\[\]{}]/g, "\\$&"),
};

/** Null is none, an empty array the point. */
function delimitersAt(args: readonly Value[]): string {
  if (args[1] === null) return "";
  const delimiters = arrayAt(args, 1);
  for (const delimiter of delimiters) {
    if (typeof delimiter !== "string" || Array.from(delimiter).length !== 1) {
      throw new BuiltinError("operand 2 must be array of runes");
    }
  }
  return delimiters.length === 0 ? "." : delimiters.join("");
}

type Matcher = (text: string) => boolean;

const matcherOf = recent(100, (key: string): Matcher => {
  const [pattern, delimiters] = JSON.parse(key) as readonly [string, string];
  return compile(pattern, delimiters);
});

/** Reads a character and goes on, or goes on in several ways without one. */
type State =
  | { readonly reads: (code: number) => boolean; readonly next: number }
  | { readonly goesTo: number[] };

/** Characters times states that are looked at. */
const maxSteps = 1_000_000;

function compile(pattern: string, delimiters: string): Matcher {
  const states: State[] = [];
  const separators = new Set(Array.from(delimiters, (char) => char.codePointAt(0)));
  const notSeparator = (code: number): boolean => !separators.has(code);

  const read = (reads: (code: number) => boolean, next: number): number => states.push({ reads, next }) - 1;
  const repeat = (reads: (code: number) => boolean, next: number): number => {
    const loop: number[] = [next];
    const start = states.push({ goesTo: loop }) - 1;
    loop.push(read(reads, start));
    return start;
  };
  /** The state from which a node is read, behind which comes the state `next`. */
  const build = (node: GlobNode, next: number): number => {
    switch (node.kind) {
      case "text":
        return node.codes.reduceRight((after, expected) => read((code) => code === expected, after), next);
      case "one":
        return read(notSeparator, next);
      case "many":
        return repeat(notSeparator, next);
      case "all":
        return repeat(() => true, next);
      case "class":
        return read(inClass(node), next);
      case "any of":
        return states.push({ goesTo: node.choices.map((choice) => buildAll(choice, next)) }) - 1;
    }
  };
  const buildAll = (nodes: readonly GlobNode[], next: number): number =>
    nodes.reduceRight((after, node) => build(node, after), next);
  const end = states.push({ goesTo: [] }) - 1;
  const start = buildAll(globNodes(pattern), end);
  return (text) => run(states, start, end, text);
}

function inClass({ not, ranges }: GlobNode & { readonly kind: "class" }): (code: number) => boolean {
  return (code) => ranges.some(([low, high]) => code >= low && code <= high) !== not;
}

/** All ways at once, so the time is linear in the text. */
function run(states: readonly State[], start: number, end: number, text: string): boolean {
  if (text.length * states.length > maxSteps) throw new LimitError("glob takes too long");
  const reached = new Int32Array(states.length).fill(-1);
  const enter = (from: number, round: number, into: number[]): void => {
    const pending = [from];
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
      if (reached[index] === round) continue;
      reached[index] = round;
      const state = states[index];
      if (state === undefined) continue;
      if ("reads" in state) into.push(index);
      else pending.push(...state.goesTo);
    }
  };
  let current: number[] = [];
  let round = 0;
  enter(start, round, current);
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    const following: number[] = [];
    round++;
    for (const index of current) {
      const state = states[index];
      if (state !== undefined && "reads" in state && state.reads(code)) enter(state.next, round, following);
    }
    current = following;
    if (current.length === 0 && reached[end] !== round) return false;
  }
  return reached[end] === round;
}
