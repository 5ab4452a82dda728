import type { Budget } from "./budget.js";
import { ExpressionError, SourceError } from "./expression-error.js";
import type { Node } from "./syntax.js";
import { type Type, typeName } from "./type.js";
import { type Kind, kindOf, type Value } from "./value.js";
import type { Vocabulary } from "./vocabulary.js";

/** One evaluation. */
export interface Frame extends Budget {
  /** What the vocabulary's readers take: whoever makes the frame has a vocabulary for it. */
  readonly input: never;
  /** Of the loops around, the outermost first. */
  readonly variables: Value[];
}

/** A part of an expression, ready to be asked. Throws ExpressionError. */
export type Run = (frame: Frame) => Value;

/** A part of an expression and what is known of it. */
export interface Compiled {
  readonly type: Type;
  readonly run: Run;
  /** As `run`, but undefined where something on the way is not there. */
  readonly find?: (frame: Frame) => Value | undefined;
  /** The value where it stands in the expression. */
  readonly literal?: Value;
}

/** Where a part of an expression stands. */
export interface Scope {
  readonly source: string;
  readonly vocabulary: Vocabulary<never>;
  /** Of the loops around, the outermost first. */
  readonly variables: readonly { readonly name: string; readonly type: Type }[];
  /** Names of the attributes that were found. */
  readonly used: Set<string>;
  readonly depth: number;
}

/** How parts compile their own parts. */
export type Compile = (node: Node, scope: Scope) => Compiled;

const maxExcerpt = 60;

/** The text of a node, for messages. */
export function excerpt({ start, end }: Node, { source }: Scope): string {
  const text = source.slice(start, end);
  return `\`${text.length <= maxExcerpt ? text : `${text.slice(0, maxExcerpt)}…`}\``;
}

/**
 * The error of a part that has no value: made when it is first thrown, and then always the same, since it
 * says nothing of the request and making one costs more than an evaluation.
 */
export function failure(node: Node, scope: Scope, what: string): () => ExpressionError {
  let error: ExpressionError | undefined;
  return () => {
    error ??= new ExpressionError(`${excerpt(node, scope)} ${what}`);
    return error;
  };
}

/** A value that stands in the expression. */
export function literalOf(type: Type, value: Value): Compiled {
  return { type, run: () => value, literal: value };
}

/**
 * A part that must be of one of the kinds: refused at load where it cannot be, asked later where that is
 * open.
 */
export function ofKind(part: Compiled, kinds: readonly Kind[], node: Node, scope: Scope): Run {
  const { type, run } = part;
  const wanted = kinds.join(" or ");
  if (type.kind !== "dyn") {
    if (kinds.includes(type.kind)) return run;
    throw new SourceError(node.start, `expected ${wanted}, found ${typeName(type)}`);
  }
  const wrong = failure(node, scope, `is no ${wanted}`);
  const [only] = kinds;
  if (kinds.length === 1) {
    return (frame) => {
      const value = run(frame);
      if (kindOf(value) !== only) throw wrong();
      return value;
    };
  }
  return (frame) => {
    const value = run(frame);
    if (!kinds.includes(kindOf(value))) throw wrong();
    return value;
  };
}
