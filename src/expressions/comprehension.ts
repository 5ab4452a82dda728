import { outOfBudget, spend, spendError } from "./budget.js";
import { type Compile, type Compiled, type Frame, ofKind, type Run, type Scope } from "./compiled.js";
import { SourceError } from "./expression-error.js";
import type { Node } from "./syntax.js";
import { elementOf, listOf, type Type, types } from "./type.js";
import { keysOfMap, type Value } from "./value.js";

/** Loops within loops. */
const maxNested = 2;

/** The loops: each takes a variable and one or two expressions about it. */
export const comprehensions: ReadonlySet<string> = new Set(["all", "exists", "exists_one", "filter", "map"]);

/** Calls `body` with each element, or key of a map, until it gives false. */
type Each = (frame: Frame, body: (item: Value) => boolean) => void;

/** Compiles `list.exists(x, …)` and the like; on a map the variable is a key. */
export function compileComprehension(
  node: Extract<Node, { readonly op: "rcall" }>,
  scope: Scope,
  compile: Compile,
): Compiled {
  const [name, receiver, args] = node.args;
  const [variable, first, second] = args;
  if (variable?.op !== "id" || first === undefined || args.length > (name === "map" ? 3 : 2))
    throw new SourceError(node.start, `\`${name}\` expects a variable and an expression`);
  if (scope.variables.length >= maxNested)
    throw new SourceError(node.start, `has loops nested more than ${maxNested} deep`);
  const over = compile(receiver, scope);
  const collection = ofKind(over, ["list", "map"], receiver, scope);
  const slot = scope.variables.length;
  const type = over.type.kind === "map" ? types.string : elementOf(over.type);
  const inner: Scope = { ...scope, variables: [...scope.variables, { name: variable.args, type }] };
  const cost = 6 + weight(first) + (second === undefined ? 0 : weight(second));
  const each: Each = (frame, body) => {
    const value = collection(frame);
    for (const item of Array.isArray(value) ? (value as readonly Value[]) : keysOfMap(value, frame)) {
      spend(frame, cost);
      frame.variables[slot] = item;
      if (!body(item)) return;
    }
  };
  const condition = (part: Node): Run => ofKind(compile(part, inner), ["bool"], part, inner);
  if (name === "map") {
    const [filter, result] = second === undefined ? [undefined, first] : [condition(first), second];
    return mapped(each, filter, compile(result, inner));
  }
  const holds = condition(first);
  if (name === "filter") return filtered(each, holds, type);
  if (name === "exists_one") return { type: types.bool, run: (frame) => count(frame, each, holds) === 1 };
  return quantified(each, holds, name === "exists");
}

/** What a part costs in one turn of a loop at least: there is a node for every few characters. */
function weight(node: Node): number {
  return Math.ceil((node.end - node.start) / 3);
}

function mapped(each: Each, filter: Run | undefined, result: Compiled): Compiled {
  return {
    type: listOf(result.type),
    run: (frame) => {
      const made: Value[] = [];
      each(frame, () => {
        if (filter === undefined || filter(frame) === true) made.push(result.run(frame));
        return true;
      });
      return made;
    },
  };
}

function filtered(each: Each, holds: Run, type: Type): Compiled {
  return {
    type: listOf(type),
    run: (frame) => {
      const kept: Value[] = [];
      each(frame, (item) => {
        if (holds(frame) === true) kept.push(item);
        return true;
      });
      return kept;
    },
  };
}

function count(frame: Frame, each: Each, holds: Run): number {
  let found = 0;
  each(frame, () => {
    if (holds(frame) === true) found++;
    return true;
  });
  return found;
}

/** `exists` and `all`: an error is forgotten where another element decides, as for `||` and `&&`. */
function quantified(each: Each, holds: Run, decides: boolean): Compiled {
  return {
    type: types.bool,
    run: (frame) => {
      let decided = false;
      let error: unknown;
      each(frame, () => {
        try {
          decided = holds(frame) === decides;
        } catch (thrown) {
          if (thrown === outOfBudget) throw thrown;
          spendError(frame);
          error ??= thrown;
        }
        return !decided;
      });
      if (decided) return decides;
      if (error !== undefined) throw error;
      return !decides;
    },
  };
}
