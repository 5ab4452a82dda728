import { BuiltinError } from "./builtin.js";

/**
 * A call that OPA would answer, but only after a time or with a result that is an attack. Who evaluates has
 * to end the evaluation: were the call undefined, `not` would make true of it, and whoever sends the argument
 * choose the answer.
 */
export class LimitError extends BuiltinError {}
