import { ExpressionError } from "./expression-error.js";

/** What is left of an evaluation's budget. */
export interface Budget {
  left: number;
}

/**
 * Units of work that one evaluation may use: a node of the expression within a loop, an item that is looked
 * at, some characters of text. One is about 20 ns, so that no request makes an evaluation longer than about
 * a millisecond.
 */
export const maxWork = 40_000;

/**
 * The one error that `&&`, `||` and `exists` do not absorb: what comes behind would go on working. Made
 * once, since it says nothing of the request and making an error costs more than an evaluation.
 */
export const outOfBudget: ExpressionError = new ExpressionError("needs more work than the budget allows");

/** Takes from the budget, and throws when nothing is left. */
export function spend(budget: Budget, units: number): void {
  budget.left -= units;
  if (budget.left < 0) throw outOfBudget;
}

/** Takes what looking at every character of a text costs. */
export function spendText(budget: Budget, length: number): void {
  if (length > 64) spend(budget, length >> 5);
}

/** Takes what an error costs that is caught and forgotten. */
export function spendError(budget: Budget): void {
  spend(budget, 60);
}
