import { Buffer } from "node:buffer";
import type { FieldRule, PathStep } from "./rules.js";

/** Where in the paths of all rules a value stands. */
export interface PathState {
  /** Rules whose path ends here, in order. */
  readonly accepts: readonly number[];
  /** Some path ends here. */
  readonly isEnd: boolean;
  /** Where names of no path lead, once somebody asked. */
  others: PathState | undefined;
  /** No rule ends here or below. */
  readonly isDead: boolean;
  /** Some rule could remove a child. */
  readonly removesChildren: boolean;
  /** Some path goes on by a name: otherwise all members are alike. */
  readonly readsNames: boolean;
}

/** Follows the paths of rules through a document. The states are made when they are first met, and shared. */
export interface PathAutomaton {
  readonly root: PathState;
  /** Below it nothing is found. */
  readonly dead: PathState;
  /** `name`: what `nameOf…` gave. */
  member(state: PathState, name: number): PathState;
  item(state: PathState, index: number): PathState;
  /** The number of the name that stands in these bytes, -1 when no path has it. */
  nameOfBytes(bytes: Uint8Array, from: number, to: number): number;
  /** The same for one character a byte. */
  nameOfText(text: string): number;
  /** Bytes of the longest name, each at most six bytes in JSON. */
  readonly maxNameBytes: number;
  /** 1 by `nameHint`: some name may be what has it. */
  readonly nameHints: Uint8Array;
}

/**
 * States that are kept. More than these a document reaches only by many `..`, and they are made again then.
 */
const maxStates = 4_096;

interface Node extends PathState {
  /** Positions in `steps`, ascending. */
  readonly positions: readonly number[];
  /** By name, the last for names of no path. */
  readonly members: (Node | undefined)[];
  readonly items: (Node | undefined)[];
  /** Whether it is one of the states that are kept. */
  isKept: boolean;
}

/** One step of one rule; without a step: the path is over. */
interface Position {
  readonly rule: number;
  readonly step: PathStep | undefined;
}

/** Makes one automaton of all paths: a value's cost does not grow with their number. */
export function compilePaths(rules: readonly FieldRule[]): PathAutomaton {
  const positions: Position[] = [];
  const starts: number[] = [];
  const names = new Map<string, number>();
  const indexes = new Map<number, number>();
  for (const [rule, { path }] of rules.entries()) {
    starts.push(positions.length);
    for (const step of path) {
      positions.push({ rule, step });
      if (step.kind === "member") {
        const bytes = Buffer.from(step.name).toString("latin1");
        if (!names.has(bytes)) names.set(bytes, names.size);
      } else if (step.kind === "item" && !indexes.has(step.index)) indexes.set(step.index, indexes.size);
    }
    positions.push({ rule, step: undefined });
  }
  const byLength = tableOfNames(names);
  const nodes = new Map<string, Node>();

  const nodeOf = (reached: ReadonlySet<number>): Node => {
    const sorted = [...reached].sort((a, b) => a - b);
    const key = sorted.join();
    const known = nodes.get(key);
    if (known !== undefined) return known;
    const node = describe(sorted, positions, rules);
    if (nodes.size >= maxStates) return node;
    node.isKept = true;
    nodes.set(key, node);
    return node;
  };
  /** Adds a position, and the next one when it may stand for no step at all. */
  const add = (to: Set<number>, position: number): void => {
    to.add(position);
    if (positions[position]?.step?.kind === "descend") to.add(position + 1);
  };
  const next = (node: Node, takes: (step: PathStep) => boolean): Node => {
    const reached = new Set<number>();
    for (const position of node.positions) {
      const step = positions[position]?.step;
      if (step === undefined) continue;
      if (step.kind === "descend") add(reached, position);
      else if (step.kind === "all" || takes(step)) add(reached, position + 1);
    }
    return nodeOf(reached);
  };

  const nameBytes = [...names.keys()].map((name) => Buffer.from(name, "latin1").toString());
  const indexValues = [...indexes.keys()];
  const begin = new Set<number>();
  for (const start of starts) add(begin, start);
  return {
    root: nodeOf(begin),
    dead: nodeOf(new Set()),
    member(state, name) {
      const node = state as Node;
      const slot = name < 0 ? names.size : name;
      const known = node.members[slot];
      if (known !== undefined) return known;
      const text = nameBytes[name];
      const to = next(node, (step) => step.kind === "member" && step.name === text);
      if (to.isKept) {
        node.members[slot] = to;
        if (name < 0) node.others = to;
      }
      return to;
    },
    item(state, index) {
      const node = state as Node;
      const slot = indexes.get(index) ?? indexes.size;
      const known = node.items[slot];
      if (known !== undefined) return known;
      const value = indexValues[slot];
      const to = next(node, (step) => step.kind === "item" && step.index === value);
      if (to.isKept) node.items[slot] = to;
      return to;
    },
    nameOfBytes(bytes, from, to) {
      const candidates = byLength[to - from];
      if (candidates === undefined) return -1;
      for (let at = 0; at < candidates.length; at++) {
        const { bytes: expected, name } = candidates[at] as NamedBytes;
        if (equals(expected, bytes, from)) return name;
      }
      return -1;
    },
    nameOfText: (text) => names.get(text) ?? -1,
    maxNameBytes: byLength.length - 1,
    nameHints: hintsOf(names),
  };
}

function describe(
  reached: readonly number[],
  positions: readonly Position[],
  rules: readonly FieldRule[],
): Node {
  const accepts: number[] = [];
  let removesChildren = false;
  let readsNames = false;
  for (const at of reached) {
    const { rule, step } = positions[at] as Position;
    if (step === undefined) accepts.push(rule);
    else if (step.kind === "member") readsNames = true;
    const isLast = step !== undefined && step.kind !== "descend" && positions[at + 1]?.step === undefined;
    if (isLast && rules[rule]?.action.kind === "remove") removesChildren = true;
  }
  const isDead = reached.length === 0;
  return {
    accepts,
    isEnd: accepts.length > 0,
    others: undefined,
    isDead,
    removesChildren,
    readsNames,
    positions: reached,
    members: [],
    items: [],
    isKept: false,
  };
}

/** Of a name's first byte and its length in bytes, for a table of 256. An empty name has none: give any. */
export function nameHint(first: number, length: number): number {
  return (length === 0 ? 0 : first ^ (length << 3)) & 0xff;
}

function hintsOf(names: ReadonlyMap<string, number>): Uint8Array {
  const hints = new Uint8Array(256);
  for (const name of names.keys()) hints[nameHint(name.charCodeAt(0), name.length)] = 1;
  return hints;
}

interface NamedBytes {
  readonly bytes: Uint8Array;
  readonly name: number;
}

/** Names by their length in bytes. */
function tableOfNames(names: ReadonlyMap<string, number>): readonly (readonly NamedBytes[] | undefined)[] {
  const longest = Math.max(0, ...[...names.keys()].map((name) => name.length));
  const table = new Array<NamedBytes[] | undefined>(longest + 1).fill(undefined);
  for (const [text, name] of names) {
    const sameLength = table[text.length] ?? [];
    sameLength.push({ bytes: Buffer.from(text, "latin1"), name });
    table[text.length] = sameLength;
  }
  return table;
}

function equals(name: Uint8Array, bytes: Uint8Array, from: number): boolean {
  for (let at = 0; at < name.length; at++) if (name[at] !== bytes[from + at]) return false;
  return true;
}
