import type { Attributes, Workload } from "../../../src/attributes/index.js";
import {
  checkExpression,
  compileExpression,
  ExpressionError,
  type ExpressionType,
} from "../../../src/expressions/index.js";
import { aRequest, aWorkload } from "../../support/request.js";

/** What a scalar expression gives, or the reason of its error behind an exclamation mark. */
export function ask(
  source: string,
  attributes: Attributes = aRequest().build(),
  workload: Workload | undefined = aWorkload(),
): string {
  const { evaluate } = compileExpression(source, "scalar");
  try {
    return evaluate({ attributes, workload });
  } catch (error) {
    if (error instanceof ExpressionError) return `! ${error.message}`;
    throw error;
  }
}

/** What is wrong with the text of an expression, as `LINE:COLUMN MESSAGE`; empty when nothing. */
export function problem(source: string, type: ExpressionType = "scalar"): string {
  return checkExpression(source, type)
    .map(({ line, column, message }) => `${line}:${column} ${message}`)
    .join("; ");
}
