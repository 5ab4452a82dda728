import { codes, type Finding, finding, type Path } from "../diagnostics/index.js";
import { nameOf, wrongType } from "../documents/index.js";
import { checkExpression } from "./compile.js";
import type { ExpressionType } from "./expression.js";
import { requestVocabulary } from "./request-vocabulary.js";
import type { Vocabulary } from "./vocabulary.js";

/** Longest expression, in characters. */
const MAX_LENGTH = 16_384;

/** Where an expression stands in a document, and what it has to be. */
interface ExpressionPlace {
  readonly type: ExpressionType;
  readonly at: Path;
  /** Absent: that of requests. */
  readonly vocabulary?: Vocabulary<never>;
}

/** An expression of a document; undefined when it is none, with findings at their places in its text. */
export function readExpression(
  value: unknown,
  { type, at, vocabulary = requestVocabulary }: ExpressionPlace,
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
  const problems = checkExpression(value, type, vocabulary);
  for (const { message, line, column } of problems) {
    out.push({ ...finding(codes.badExpression, at, message), place: { file: undefined, line, column } });
  }
  return problems.length === 0 ? value : undefined;
}
