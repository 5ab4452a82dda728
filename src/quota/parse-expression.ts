import { codes, type Finding, finding, type Path } from "../diagnostics/index.js";
import { nameOf, wrongType } from "../documents/index.js";
import { checkExpression, type ExpressionType } from "../expressions/index.js";

/** Longest expression, in characters. */
const MAX_LENGTH = 16_384;

/** An expression of this type; undefined when it is none, with findings at their places in its text. */
export function readExpression(
  value: unknown,
  type: ExpressionType,
  at: Path,
  out: Finding[],
): string | undefined {
  if (typeof value !== "string") {
    out.push(wrongType(value, at, "a CEL expression as a string"));
    return undefined;
  }
  if (value.trim() === "") {
    out.push(finding(codes.emptyValue, at, "empty value, expected a CEL expression"));
    return undefined;
  }
  if (value.length > MAX_LENGTH) {
    const message = `${nameOf(at)} has ${value.length} characters, expected at most ${MAX_LENGTH}`;
    out.push(finding(codes.tooMany, at, message));
    return undefined;
  }
  const problems = checkExpression(value, type);
  for (const { message, line, column } of problems) {
    out.push({ ...finding(codes.badExpression, at, message), place: { file: undefined, line, column } });
  }
  return problems.length === 0 ? value : undefined;
}
