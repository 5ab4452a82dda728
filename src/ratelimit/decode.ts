import { isMergeKey, type MappingNode, type Place, type YamlNode } from "./yaml/index.js";

/** A tree that is refused as a whole: what stands in it cannot be told. */
export class DecodeError extends Error {
  readonly place: Place;

  constructor(message: string, { line, column }: Place) {
    super(message);
    this.name = "DecodeError";
    this.place = { line, column };
  }
}

/** One reading of a tree: follows aliases, and bounds how much they repeat. */
export interface Walk {
  /** Aliases that are being followed. */
  readonly open: Set<YamlNode>;
  visited: number;
  repeated: number;
  depth: number;
}

/** Aliases may repeat a small tree a hundred times, a large one hardly: yaml.v2's numbers. */
const SMALL = 400_000;
const LARGE = 4_000_000;
/** Behind aliases too. The stack is what is protected. */
const MAX_DEPTH = 500;

export function startWalk(): Walk {
  return { open: new Set(), visited: 0, repeated: 0, depth: 0 };
}

/**
 * Calls `visit` with the node that an alias stands for, or the node itself. Throws `DecodeError` on a cycle.
 */
export function enter<T>(
  walk: Walk,
  node: YamlNode,
  visit: (node: Exclude<YamlNode, { kind: "alias" }>) => T,
): T {
  walk.visited++;
  if (walk.open.size > 0) walk.repeated++;
  const ratio = walk.repeated / walk.visited;
  if (walk.repeated > 100 && walk.visited > 1000 && ratio > mostRepeated(walk.visited)) {
    throw new DecodeError("aliases repeat too much", node);
  }
  if (walk.depth >= MAX_DEPTH) throw new DecodeError("nested too deeply", node);
  walk.depth++;
  let result: T;
  if (node.kind !== "alias") result = visit(node);
  else {
    if (walk.open.has(node)) throw new DecodeError("anchor holds itself", node);
    walk.open.add(node);
    result = enter(walk, node.target, visit);
    walk.open.delete(node);
  }
  walk.depth--;
  return result;
}

function mostRepeated(visited: number): number {
  if (visited <= SMALL) return 0.99;
  if (visited >= LARGE) return 0.1;
  return 0.99 - 0.89 * ((visited - SMALL) / (LARGE - SMALL));
}

/**
 * Goes over a mapping's pairs in the order in which they take effect: the last of a name wins, and `<<`
 * stands where it is written instead of behind what the mapping itself says.
 */
export function eachPair(
  walk: Walk,
  mapping: MappingNode,
  visit: (key: YamlNode, value: YamlNode) => void,
): void {
  for (const { key, value } of mapping.pairs) {
    if (!isMergeKey(key)) {
      visit(key, value);
      continue;
    }
    // Of a list the first counts most, so it comes last.
    for (const source of value.kind === "list" ? [...value.items].reverse() : [value]) {
      const target = source.kind === "alias" ? source.target : source;
      if (target.kind !== "mapping") throw new DecodeError("`<<` takes mappings only", source);
      enter(walk, source, () => eachPair(walk, target, visit));
    }
  }
}
