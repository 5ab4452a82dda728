import { type ASTNode, Environment, ParseError } from "@marcbachmann/cel-js";
import { SourceError } from "./expression-error.js";

/** A node of an expression as the library's parser gives it. */
export type Node = ASTNode;

/** Characters that an expression may have. */
export const maxLength = 4096;

/** Levels of an expression, which are frames of the stack when it is evaluated. */
export const maxDepth = 100;

/** Only its parser is used: types and values are ours. */
const library = new Environment({
  unlistedVariablesAreDyn: true,
  limits: { maxDepth, maxAstNodes: maxLength },
});

/** Reads the text of an expression. Throws a SourceError where it is none. */
export function parse(source: string): Node {
  if (source.length > maxLength)
    throw new SourceError(0, `is ${source.length} characters long, expected at most ${maxLength}`);
  if (source.trim() === "") throw new SourceError(0, "is empty");
  try {
    return library.parse(source).ast;
  } catch (error) {
    if (!(error instanceof ParseError)) throw new SourceError(0, "cannot be read as an expression");
    throw sourceError(source, error);
  }
}

function sourceError(source: string, { code, summary, range, node }: ParseError): SourceError {
  const at = Math.min(range?.start ?? node?.start ?? 0, source.length);
  const text = source.slice(at, Math.max(range?.end ?? at, at + 1)).trim();
  switch (code) {
    case "unexpected_token":
    case "expected_token":
    case "unexpected_character":
      return new SourceError(at, text === "" ? "ends too early" : `unexpected \`${text}\``);
    case "reserved_identifier":
      return new SourceError(at, `\`${text}\` is a reserved word`);
    case "limit_exceeded":
      return new SourceError(at, "is nested too deeply or has too many parts");
    case "invalid_macro_argument":
      return new SourceError(at, "expected the name of a variable");
    default:
      return new SourceError(at, `${summary.charAt(0).toLowerCase()}${summary.slice(1)}`);
  }
}
