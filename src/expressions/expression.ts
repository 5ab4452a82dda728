import type { Attributes, Workload } from "../attributes/index.js";

/** What an expression sees. */
export interface ExpressionInput {
  readonly attributes: Attributes;
  /**
   * Whose policies are asked: `destination.workload.name`, `destination.labels` …; undefined where it is
   * unknown.
   */
  readonly workload: Workload | undefined;
}

/**
 * What an expression must give. `number`: whole or not, finite. `scalar`: a text, a number or a boolean, as
 * text. `json`: anything that JSON has, as JSON text.
 */
export type ExpressionType = "bool" | "int" | "number" | "string" | "scalar" | "json";

/** Something wrong with an expression's text. */
export interface ExpressionProblem {
  /** Lower case, no final stop, says what was expected. */
  readonly message: string;
  /** 1-based, in the expression's text. */
  readonly line: number;
  readonly column: number;
}

/** An expression ready to be asked; `Input` is what its vocabulary reads. */
export interface Expression<Value, Input = ExpressionInput> {
  readonly source: string;
  /** Names of the attributes that it reads, e.g. `request.headers`. */
  readonly attributes: readonly string[];
  /**
   * Throws ExpressionError when there is no value: an absent attribute, a missing key, a division by zero,
   * or more work than the budget allows.
   */
  readonly evaluate: (input: Input) => Value;
}
