/**
 * An expression has no value for a request: an attribute is not there, a key is missing, a number is out of
 * range, or the budget is used up. Its message names parts of the expression and never a value of the
 * request.
 */
export class ExpressionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ExpressionError";
  }
}

/** What is wrong with an expression's text, thrown while it is compiled. */
export class SourceError extends Error {
  /** Offset in the expression's text. */
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.name = "SourceError";
    this.at = at;
  }
}
