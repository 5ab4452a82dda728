import type { Frame } from "./compiled.js";
import type { Type } from "./type.js";
import type { Kind, Value } from "./value.js";

/** What a function does with its arguments; the receiver is the first. Throws ExpressionError. */
export type Apply = (frame: Frame, a: Value, b: Value, c: Value) => Value;

/** A function or method of expressions. */
export interface FunctionEntry {
  readonly name: string;
  /** `method`: behind a dot; `both`: either way. */
  readonly form: "function" | "method" | "both";
  /** The kinds of each argument, the receiver's first. */
  readonly parameters: readonly (readonly Kind[])[];
  /** How many of the last arguments may be left out. */
  readonly optional?: number;
  /** Arguments that must stand in the expression, by position: what they mean is decided at load. */
  readonly literals?: readonly number[];
  readonly result: Type;
  /** Throws an Error that says what is wrong with a literal; its message goes behind the function's name. */
  readonly bind: (literals: readonly (Value | undefined)[]) => Apply;
}
