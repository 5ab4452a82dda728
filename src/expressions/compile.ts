import { isWellFormed } from "../attributes/index.js";
import { maxWork } from "./budget.js";
import { compileNode } from "./compile-node.js";
import { type Compiled, type Frame, failure, type Scope } from "./compiled.js";
import type { Expression, ExpressionInput, ExpressionProblem, ExpressionType } from "./expression.js";
import { ExpressionError, SourceError } from "./expression-error.js";
import { jsonOf } from "./json-of.js";
import { requestVocabulary } from "./request-vocabulary.js";
import { type Node, parse } from "./syntax.js";
import { typeName } from "./type.js";
import type { Kind, Value } from "./value.js";
import type { Vocabulary } from "./vocabulary.js";

const accepted: Readonly<Record<ExpressionType, readonly Kind[]>> = {
  bool: ["bool"],
  int: ["int"],
  number: ["int", "double"],
  string: ["string"],
  scalar: ["string", "int", "double", "bool"],
  json: ["null", "bool", "int", "double", "string", "list", "map"],
};

/** What is wrong with an expression that must give a `type`: empty, or the first problem. For use at load. */
export function checkExpression(
  source: string,
  type: ExpressionType,
  vocabulary: Vocabulary<never> = requestVocabulary,
): readonly ExpressionProblem[] {
  try {
    compileTyped(source, type, vocabulary);
    return [];
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    return [{ message: error.message, ...placeOf(source, error.at) }];
  }
}

/** 1-based; a line ends with a line feed. */
function placeOf(source: string, at: number): { readonly line: number; readonly column: number } {
  const before = source.slice(0, at);
  return { line: before.split("\n").length, column: at - before.lastIndexOf("\n") };
}

/**
 * Compiles an expression whose text {@link checkExpression} found good; throws otherwise. Nothing is
 * remembered: it is called once, at load. A whole number beyond ±2^53 loses its last digits.
 */
export function compileExpression(source: string, type: "bool"): Expression<boolean>;
export function compileExpression(source: string, type: "int" | "number"): Expression<number>;
export function compileExpression(source: string, type: "string" | "scalar" | "json"): Expression<string>;
export function compileExpression<Input>(
  source: string,
  type: "bool",
  vocabulary: Vocabulary<Input>,
): Expression<boolean, Input>;
export function compileExpression<Input>(
  source: string,
  type: "int" | "number",
  vocabulary: Vocabulary<Input>,
): Expression<number, Input>;
export function compileExpression<Input>(
  source: string,
  type: "string" | "scalar" | "json",
  vocabulary: Vocabulary<Input>,
): Expression<string, Input>;
export function compileExpression(
  source: string,
  type: ExpressionType,
  vocabulary: Vocabulary<never> = requestVocabulary,
): Expression<boolean | number | string, ExpressionInput> {
  const { compiled, used, convert } = compileTyped(source, type, vocabulary);
  return {
    source,
    attributes: [...used],
    evaluate: (input) => {
      const frame: Frame = { input: input as never, left: maxWork, variables: [] };
      try {
        return convert(compiled.run(frame));
      } catch (error) {
        if (error instanceof ExpressionError) throw error;
        throw new ExpressionError("cannot be evaluated", { cause: error });
      }
    },
  };
}

interface Typed {
  readonly compiled: Compiled;
  readonly used: ReadonlySet<string>;
  readonly convert: (value: Value) => boolean | number | string;
}

function compileTyped(source: string, type: ExpressionType, vocabulary: Vocabulary<never>): Typed {
  const node = parse(source);
  const used = new Set<string>();
  const scope: Scope = { source, vocabulary, variables: [], used, depth: 0 };
  const compiled = compileNode(node, scope);
  const { kind } = compiled.type;
  if (kind !== "dyn" && !accepted[type].includes(kind)) {
    const wanted =
      type === "scalar" ? "a string, a number or a bool" : type === "json" ? "a value of JSON" : type;
    throw new SourceError(0, `expected ${wanted}, found ${typeName(compiled.type)}`);
  }
  return { compiled, used, convert: converter(type, node, scope) };
}

function converter(type: ExpressionType, node: Node, scope: Scope): Typed["convert"] {
  const wrong = failure(
    node,
    scope,
    `gives no ${type === "scalar" ? "text, number or boolean" : type === "json" ? "value of JSON" : type}`,
  );
  const malformed = failure(node, scope, "gives a text with half a character");
  const text = (value: string): string => {
    // It would be the same key as any other such text: none has a form in UTF-8.
    if (!isWellFormed(value)) throw malformed();
    return value;
  };
  switch (type) {
    case "bool":
      return (value) => {
        if (typeof value !== "boolean") throw wrong();
        return value;
      };
    case "int":
      return (value) => {
        if (typeof value === "bigint") return Number(value);
        if (typeof value !== "number" || !Number.isSafeInteger(value)) throw wrong();
        return value;
      };
    case "number":
      return (value) => {
        const number = typeof value === "bigint" ? Number(value) : value;
        if (typeof number !== "number" || !Number.isFinite(number)) throw wrong();
        return number;
      };
    case "string":
      return (value) => {
        if (typeof value !== "string") throw wrong();
        return text(value);
      };
    case "scalar":
      return (value) => {
        if (typeof value === "string") return text(value);
        if (typeof value !== "bigint" && typeof value !== "number" && typeof value !== "boolean")
          throw wrong();
        return String(value);
      };
    case "json":
      return (value) => {
        const written = jsonOf(value);
        if (written === undefined) throw wrong();
        return text(written);
      };
  }
}
