import { collectionAt, objectAt } from "./arguments.js";
import type { Builtins } from "./builtin.js";
import { identity } from "./identity.js";
import { LimitError } from "./limit.js";
import { isArray, isSet, type RegoObject, setOf, type Value } from "./value.js";

/** Graphs: objects of nodes to the array or set of their neighbours (v1/topdown/reachable.go). */
export const graph: Builtins = {
  "graph.reachable": (args) => {
    const edges = edgesOf(objectAt(args, 0));
    const reached = new Map<string, Value>();
    const seen = new Set<string>();
    const queue = [...collectionAt(args, 1)];
    for (const node of queue) {
      const key = identity(node);
      const neighbours = edges.get(key);
      if (neighbours === undefined || seen.has(key)) continue;
      seen.add(key);
      reached.set(key, node);
      for (const neighbour of neighbours) if (!seen.has(identity(neighbour))) queue.push(neighbour);
    }
    return setOf(reached.values());
  },
  "graph.reachable_paths": (args) => setOf(pathsFrom(edgesOf(objectAt(args, 0)), collectionAt(args, 1))),
};

/** Nodes in all paths together, and steps: there can be exponentially many paths, and OPA lists them all. */
const maxNodes = 200_000;

type Edges = ReadonlyMap<string, readonly Value[]>;

/** A node on the way, and which of its neighbours comes next. */
interface Step {
  readonly key: string;
  readonly neighbours: readonly Value[];
  next: number;
}

function pathsFrom(edges: Edges, starts: readonly Value[]): readonly Value[] {
  const paths: (readonly Value[])[] = [];
  const path: Value[] = [];
  const passed = new Set<string>();
  let nodes = 0;
  const emit = (end: readonly Value[]): void => {
    nodes += end.length + 1;
    if (nodes > maxNodes) throw new LimitError("graph has too many paths");
    paths.push(end);
  };
  for (const start of starts) {
    const key = identity(start);
    const neighbours = edges.get(key);
    if (neighbours === undefined) continue;
    if (neighbours.length === 0) emit([start]);
    const steps: Step[] = [{ key, neighbours, next: 0 }];
    path.push(start);
    // Only a start may come twice, when it is its own neighbour.
    for (let step = steps.at(-1); step !== undefined; step = steps.at(-1)) {
      const node = step.neighbours[step.next++];
      if (node === undefined) {
        steps.pop();
        path.pop();
        passed.delete(step.key);
        continue;
      }
      const next = identity(node);
      const further = edges.get(next);
      const first = steps.length === 1;
      if (!first && passed.has(next)) emit([...path]);
      else if (further === undefined) emit([...path]);
      else if (further.length === 0) emit([...path, node]);
      else {
        if (++nodes > maxNodes) throw new LimitError("graph has too many paths");
        if (first) passed.clear();
        passed.add(key).add(next);
        steps.push({ key: next, neighbours: further, next: 0 });
        path.push(node);
      }
    }
    path.length = 0;
    passed.clear();
  }
  return paths;
}

function edgesOf(given: RegoObject): Edges {
  const edges = new Map<string, readonly Value[]>();
  for (const [node, neighbours] of given) {
    edges.set(identity(node), isArray(neighbours) ? neighbours : isSet(neighbours) ? [...neighbours] : []);
  }
  return edges;
}
