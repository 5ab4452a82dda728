import { outOfBudget, spendError } from "./budget.js";
import { type Compile, type Compiled, type Frame, ofKind, type Run, type Scope } from "./compiled.js";
import { SourceError } from "./expression-error.js";
import type { Node } from "./syntax.js";
import { typeName, types, unify } from "./type.js";

/**
 * Compiles `&&` and `||`. As CEL has it, an error of one side is forgotten where the other side decides,
 * whichever stands first.
 */
export function compileLogic(
  node: Extract<Node, { readonly op: "&&" | "||" }>,
  scope: Scope,
  compile: Compile,
): Compiled {
  const [left, right] = node.args.map((part) => ofKind(compile(part, scope), ["bool"], part, scope)) as [
    Run,
    Run,
  ];
  const decides = node.op === "||";
  const other = (frame: Frame, error: unknown): boolean => {
    if (error === outOfBudget) throw error;
    spendError(frame);
    if (right(frame) !== decides) throw error;
    return decides;
  };
  return {
    type: types.bool,
    run: (frame) => {
      let first: boolean;
      try {
        first = left(frame) as boolean;
      } catch (error) {
        return other(frame, error);
      }
      return first === decides ? decides : right(frame);
    },
  };
}

/** Compiles `!x`. */
export function compileNot(
  node: Extract<Node, { readonly op: "!_" }>,
  scope: Scope,
  compile: Compile,
): Compiled {
  const run = ofKind(compile(node.args, scope), ["bool"], node.args, scope);
  return { type: types.bool, run: (frame) => run(frame) === false };
}

/** Compiles `condition ? a : b`. */
export function compileTernary(
  node: Extract<Node, { readonly op: "?:" }>,
  scope: Scope,
  compile: Compile,
): Compiled {
  const [condition, yes, no] = node.args;
  const decide = ofKind(compile(condition, scope), ["bool"], condition, scope);
  const [first, second] = [compile(yes, scope), compile(no, scope)];
  const type = unify(first.type, second.type);
  if (type === undefined) {
    const found = `${typeName(first.type)} and ${typeName(second.type)}`;
    throw new SourceError(yes.start, `expected one type on both sides of \`:\`, found ${found}`);
  }
  return { type, run: (frame) => (decide(frame) === true ? first.run(frame) : second.run(frame)) };
}
