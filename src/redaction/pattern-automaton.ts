import { empty, type Program } from "./pattern-syntax.js";

/** The input of a step at the text's end. */
export const endOfText = 256;

/** The state from which nothing matches any more. */
export const dead = 0;

/** States that are kept; with one more all but the one in use are forgotten. */
const mostStates = 1024;

/** What stood before the byte that comes next. */
const before = { begin: 0, newline: 1, word: 2, other: 3 } as const;

interface State {
  /** Threads in the order of preference, each at an instruction. */
  readonly threads: readonly number[];
  readonly before: number;
}

/**
 * A program as an automaton over bytes, with RE2's preference: the first alternative, greedy or not as is
 * written. Made as it is used.
 */
export interface Automaton {
  /** The state at a start; `byteBefore` −1: the text begins here. */
  start(byteBefore: number): number;
  /**
   * The state after a byte (or `endOfText`), times 2; and 1 if a match ended before the byte. A state is
   * good until the next step only.
   */
  step(state: number, byte: number): number;
  /** Changes when states were forgotten. */
  readonly generation: number;
}

/** INVARIANT: state 0 is `dead`. */
export function automatonOf(program: Program): Automaton {
  const { instructions } = program;
  const looks = instructions.some((one) => one.kind === "go" && one.empty !== 0);
  const classOf = classesOf(program);
  const inputs = 1 + (classOf[endOfText] ?? 0);
  let generation = 0;
  let states: State[] = [];
  let ids = new Map<string, number>();
  let table = new Int32Array(0);
  let starts = new Int32Array(4);

  function forget(): void {
    generation++;
    states = [{ threads: [], before: before.other }];
    ids = new Map();
    table = new Int32Array(16 * inputs).fill(-1);
    starts = new Int32Array(4).fill(-1);
  }

  function idOf(state: State): number {
    if (state.threads.length === 0) return dead;
    const key = `${state.before}:${state.threads.join()}`;
    const known = ids.get(key);
    if (known !== undefined) return known;
    if (states.length === mostStates) forget();
    const id = states.length;
    states.push(state);
    ids.set(key, id);
    if (states.length * inputs > table.length) {
      const grown = new Int32Array(2 * table.length).fill(-1);
      grown.set(table);
      table = grown;
    }
    return id;
  }

  /** The state after `input`, and whether a match ended before it. */
  function next(state: State, input: number): { readonly to: State; readonly accepts: boolean } {
    const flags = flagsBetween(state.before, input);
    const seen = new Uint8Array(instructions.length);
    const stack = [...state.threads].reverse();
    const threads: number[] = [];
    const taken = new Uint8Array(instructions.length);
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (seen[at] === 1) continue;
      seen[at] = 1;
      const one = instructions[at];
      if (one?.kind === "match") return { to: { threads, before: kindOf(input) }, accepts: true };
      if (one?.kind === "either") stack.push(one.second, one.first);
      else if (one?.kind === "go" && (one.empty & ~flags) === 0) stack.push(one.to);
      else if (one?.kind === "byte" && input < 256 && one.takes[input] === 1 && taken[one.to] === 0) {
        taken[one.to] = 1;
        threads.push(one.to);
      }
    }
    return { to: { threads, before: kindOf(input) }, accepts: false };
  }

  function kindOf(byte: number): number {
    if (!looks) return before.other;
    if (byte === 10) return before.newline;
    return isWord(byte) ? before.word : before.other;
  }

  forget();
  return {
    get generation() {
      return generation;
    },
    start: (byteBefore) => {
      const kind = looks && byteBefore < 0 ? before.begin : kindOf(byteBefore);
      const known = starts[kind] ?? -1;
      if (known >= 0) return known;
      const id = idOf({ threads: [program.start], before: kind });
      starts[kind] = id;
      return id;
    },
    step: (state, input) => {
      const known = table[state * inputs + (classOf[input] ?? 0)] ?? -1;
      if (known >= 0) return known;
      const { to, accepts } = next(states[state] ?? { threads: [], before: before.other }, input);
      const age = generation;
      const packed = idOf(to) * 2 + (accepts ? 1 : 0);
      // What was known of `state` is gone where all was forgotten.
      if (age === generation) table[state * inputs + (classOf[input] ?? 0)] = packed;
      return packed;
    },
  };
}

/** Numbers for the inputs, the same for those that no instruction tells apart; the text's end has the last. */
function classesOf({ instructions }: Program): Uint16Array {
  const numbers = new Map<string, number>();
  const classOf = new Uint16Array(endOfText + 1);
  const sets = instructions.flatMap((one) => (one.kind === "byte" ? [one.takes] : []));
  for (let byte = 0; byte < endOfText; byte++) {
    const kind = byte === 10 ? "n" : isWord(byte) ? "w" : "o";
    const key = kind + sets.map((takes) => takes[byte]).join("");
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    classOf[byte] = number;
  }
  classOf[endOfText] = numbers.size;
  return classOf;
}

function isWord(byte: number): boolean {
  return (
    (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || byte === 95 || (byte >= 97 && byte <= 122)
  );
}

function flagsBetween(kind: number, input: number): number {
  let flags = 0;
  if (kind === before.begin) flags |= empty.beginText | empty.beginLine;
  if (kind === before.newline) flags |= empty.beginLine;
  if (input === endOfText) flags |= empty.endText | empty.endLine;
  if (input === 10) flags |= empty.endLine;
  return flags | ((kind === before.word) !== isWord(input) ? empty.wordBorder : empty.noWordBorder);
}
