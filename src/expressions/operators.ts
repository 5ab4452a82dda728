import { spendText } from "./budget.js";
import { type Compile, type Compiled, failure, literalOf, ofKind, type Run, type Scope } from "./compiled.js";
import { isElement, isEqual } from "./equality.js";
import { SourceError } from "./expression-error.js";
import type { Node } from "./syntax.js";
import { elementOf, isComparable, listOf, type Type, typeName, types, unify } from "./type.js";
import { hasEntry, type Kind, kindOf, type Value } from "./value.js";

/** Operators that always ask both of their values. */
export type BinaryOperator = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "+" | "-" | "*" | "/" | "%";

type BinaryNode = Extract<Node, { readonly op: BinaryOperator }>;

/** Compiles an operator with two operands. */
export function compileBinary(node: BinaryNode, scope: Scope, compile: Compile): Compiled {
  const left = compile(node.args[0], scope);
  const right = compile(node.args[1], scope);
  switch (node.op) {
    case "==":
    case "!=":
      return equality(node, left, right);
    case "in":
      return membership(node, scope, left, right);
    case "<":
    case "<=":
    case ">":
    case ">=":
      return ordering(node, scope, left, right);
    default:
      return arithmetic(node, scope, left, right);
  }
}

function mismatch(node: BinaryNode, left: Type, right: Type): SourceError {
  const at = node.input.indexOf(node.op, node.args[0].end);
  return new SourceError(at, `\`${node.op}\` does not take ${typeName(left)} and ${typeName(right)}`);
}

function equality(node: BinaryNode, left: Compiled, right: Compiled): Compiled {
  if (!isComparable(left.type, right.type)) throw mismatch(node, left.type, right.type);
  const wanted = node.op === "==";
  const [first, second] = [left.run, right.run];
  // A literal is as long as it stands there: no request makes the comparison long.
  const fixed = typeof right.literal === "string" ? right.literal : undefined;
  if (fixed !== undefined) return { type: types.bool, run: (frame) => (first(frame) === fixed) === wanted };
  return {
    type: types.bool,
    run: (frame) => isEqual(first(frame), second(frame), frame) === wanted,
  };
}

function membership(node: BinaryNode, scope: Scope, left: Compiled, right: Compiled): Compiled {
  const { kind } = right.type;
  const [key, collection] = [left.run, ofKind(right, ["list", "map"], node.args[1], scope)];
  const fits = kind === "map" ? types.string : elementOf(right.type);
  if (!isComparable(left.type, fits)) throw mismatch(node, left.type, right.type);
  const words = textsOf(right.literal);
  if (words !== undefined && left.type.kind === "string")
    return { type: types.bool, run: (frame) => words.has(key(frame) as string) };
  return {
    type: types.bool,
    run: (frame) => {
      const wanted = key(frame);
      const within = collection(frame);
      if (Array.isArray(within)) return isElement(wanted, within, frame);
      return typeof wanted === "string" && hasEntry(within, wanted, frame);
    },
  };
}

/** A list of texts that stands in the expression. */
function textsOf(literal: Value | undefined): ReadonlySet<string> | undefined {
  if (!Array.isArray(literal)) return undefined;
  const words = literal.filter((word: Value) => typeof word === "string");
  return words.length === literal.length ? new Set(words) : undefined;
}

const ordered: readonly Kind[] = ["int", "double", "string", "timestamp"];

function ordering(node: BinaryNode, scope: Scope, left: Compiled, right: Compiled): Compiled {
  if (!isComparable(left.type, right.type)) throw mismatch(node, left.type, right.type);
  const first = ofKind(left, ordered, node.args[0], scope);
  const second = ofKind(right, ordered, node.args[1], scope);
  const { op } = node;
  const apply = (a: Value, b: Value): boolean => {
    const [x, y] = [a as number, b as number];
    return op === "<" ? x < y : op === "<=" ? x <= y : op === ">" ? x > y : x >= y;
  };
  const wrong = failure(node, scope, "compares different kinds of values");
  return {
    type: types.bool,
    run: (frame) => {
      const [a, b] = [first(frame), second(frame)];
      if (typeof a === "string" && typeof b === "string") {
        spendText(frame, Math.min(a.length, b.length));
        return apply(a, b);
      }
      if (kindOf(a) !== kindOf(b) && (!isNumeric(a) || !isNumeric(b))) throw wrong();
      return apply(a, b);
    },
  };
}

function isNumeric(value: Value): boolean {
  return typeof value === "bigint" || typeof value === "number";
}

type Arithmetic = "+" | "-" | "*" | "/" | "%";

const operands: Readonly<Record<Arithmetic, readonly Kind[]>> = {
  "+": ["int", "double", "string", "list"],
  "-": ["int", "double"],
  "*": ["int", "double"],
  "/": ["int", "double"],
  "%": ["int"],
};

function arithmetic(node: BinaryNode, scope: Scope, left: Compiled, right: Compiled): Compiled {
  const op = node.op as Arithmetic;
  const type = unify(left.type, right.type);
  if (type === undefined) throw mismatch(node, left.type, right.type);
  const first = ofKind(left, operands[op], node.args[0], scope);
  const second = ofKind(right, operands[op], node.args[1], scope);
  const wrong = failure(node, scope, "joins different kinds of values");
  const overflow = failure(node, scope, "is beyond 64 bits");
  const byZero = failure(node, scope, "divides by zero");
  const tooLong = failure(node, scope, "is too long");
  return {
    type,
    run: (frame) => {
      const [a, b] = [first(frame), second(frame)];
      if (typeof a === "bigint" && typeof b === "bigint") {
        if (b === 0n && (op === "/" || op === "%")) throw byZero();
        const result = wholes[op](a, b);
        if (BigInt.asIntN(64, result) !== result) throw overflow();
        return result;
      }
      if (typeof a === "number" && typeof b === "number") return doubles[op](a, b);
      if (typeof a === "string" && typeof b === "string") {
        if (a.length + b.length > maxText) throw tooLong();
        spendText(frame, a.length + b.length);
        return a + b;
      }
      if (!Array.isArray(a) || !Array.isArray(b)) throw wrong();
      spendText(frame, 32 * (a.length + b.length));
      return [...a, ...b];
    },
  };
}

/** Characters of a text that an expression joins. */
const maxText = 1 << 20;

const wholes: Readonly<Record<Arithmetic, (a: bigint, b: bigint) => bigint>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};

const doubles: Readonly<Record<Arithmetic, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};

/** Compiles `-x`. */
export function compileMinus(
  node: Extract<Node, { readonly op: "-_" }>,
  scope: Scope,
  compile: Compile,
): Compiled {
  const part = node.args;
  if (part.op === "value" && typeof part.args === "bigint") return wholeLiteral(-part.args, node);
  const operand = compile(part, scope);
  const run = ofKind(operand, ["int", "double"], part, scope);
  const overflow = failure(node, scope, "is beyond 64 bits");
  const least = -(2n ** 63n);
  return {
    type: operand.type,
    run: (frame) => {
      const value = run(frame) as bigint | number;
      if (value === least) throw overflow();
      return -value;
    },
  };
}

/** An integer that stands in the expression. */
export function wholeLiteral(value: bigint, node: Node): Compiled {
  if (BigInt.asIntN(64, value) !== value) throw new SourceError(node.start, "integer beyond 64 bits");
  return literalOf(types.int, value);
}

/** Compiles `[a, b]`. */
export function compileList(
  node: Extract<Node, { readonly op: "list" }>,
  scope: Scope,
  compile: Compile,
): Compiled {
  const items = node.args.map((item) => compile(item, scope));
  const element = items.reduce<Type | undefined>(
    (known, { type }) => (known === undefined ? type : (unify(known, type) ?? types.dyn)),
    undefined,
  );
  const type = listOf(element ?? types.dyn);
  if (items.every((item) => item.literal !== undefined))
    return literalOf(
      type,
      items.map((item) => item.literal as Value),
    );
  const runs: readonly Run[] = items.map((item) => item.run);
  return { type, run: (frame) => runs.map((run) => run(frame)) };
}
