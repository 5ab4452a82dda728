import { BuiltinError } from "./builtin.js";
import { LimitError } from "./limit.js";
import { type Token, templateTokens } from "./template-lex.js";

/** An operand of a command, with the fields behind it: `$x.a.b`. */
export interface Operand {
  readonly base:
    | { readonly kind: "dot" | "nil" }
    | { readonly kind: "constant"; readonly value: string | boolean }
    | { readonly kind: "int"; readonly value: bigint }
    | { readonly kind: "float"; readonly value: number }
    | { readonly kind: "variable" | "function"; readonly name: string }
    | { readonly kind: "pipeline"; readonly pipeline: Pipeline };
  readonly fields: readonly string[];
}

/** Commands of which each gets what the one before gave; the last result is given to the variables. */
export interface Pipeline {
  readonly variables: readonly string[];
  /** `=` instead of `:=`. */
  readonly assigns: boolean;
  readonly commands: readonly (readonly Operand[])[];
}

/** A part of a template. */
export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipeline: Pipeline }
  | {
      readonly kind: "if" | "with" | "range";
      readonly pipeline: Pipeline;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly kind: "break" | "continue" };

/** Functions that templates may call; `call` and `js` are left out. */
export const templateFunctions: ReadonlySet<string> = new Set(
  "and eq ge gt html index le len lt ne not or print printf println slice urlquery".split(" "),
);

/** Actions nested deeper are refused. */
const maxDepth = 100;

interface Parser {
  readonly tokens: readonly Token[];
  at: number;
  /** Variables that are declared. */
  variables: readonly string[];
  depth: number;
  ranges: number;
}

/** The parts of a template; throws a BuiltinError when it is none, or has templates inside of it. */
export function parseTemplate(template: string): readonly Node[] {
  const parser: Parser = { tokens: templateTokens(template), at: 0, variables: ["$"], depth: 0, ranges: 0 };
  const { nodes, ending } = list(parser);
  if (ending !== "") throw unexpected(ending);
  return nodes;
}

function unexpected(what: string): BuiltinError {
  return new BuiltinError(`unexpected ${what} in a template`);
}

interface List {
  readonly nodes: readonly Node[];
  /** `end` or `else`, which is read; empty at the template's end. */
  readonly ending: string;
}

function list(parser: Parser): List {
  const nodes: Node[] = [];
  for (let token = next(parser); token !== undefined; token = next(parser)) {
    if (token.kind === "text") {
      nodes.push({ kind: "text", text: token.text });
      continue;
    }
    parser.at--;
    skipSpace(parser);
    const word = peek(parser);
    const keyword = word?.kind === "word" ? word.text : "";
    if (keyword === "end" || keyword === "else") {
      parser.at++;
      return { nodes, ending: keyword };
    }
    const node = statement(parser, keyword);
    if (node !== undefined) nodes.push(node);
  }
  return { nodes, ending: "" };
}

function next(parser: Parser): Token | undefined {
  return parser.tokens[parser.at++];
}

function peek(parser: Parser): Token | undefined {
  return parser.tokens[parser.at];
}

function skipSpace(parser: Parser): void {
  while (peek(parser)?.kind === "space") parser.at++;
}

function endOfAction(parser: Parser): void {
  skipSpace(parser);
  const token = next(parser);
  if (token?.kind !== "end") throw unexpected(token?.kind ?? "end");
}

function statement(parser: Parser, keyword: string): Node {
  switch (keyword) {
    case "if":
    case "with":
    case "range":
      parser.at++;
      return block(parser, keyword);
    case "break":
    case "continue":
      parser.at++;
      endOfAction(parser);
      if (parser.ranges === 0) throw unexpected(keyword);
      return { kind: keyword };
    case "define":
    case "block":
    case "template":
      throw new BuiltinError(`{{${keyword}}} is not supported`);
    default: {
      const found = pipeline(parser, false);
      endOfAction(parser);
      return { kind: "print", pipeline: found };
    }
  }
}

function block(parser: Parser, kind: "if" | "with" | "range"): Node {
  if (parser.depth++ > maxDepth) throw new LimitError("template is nested too deep");
  const before = parser.variables;
  const condition = pipeline(parser, kind === "range");
  endOfAction(parser);
  if (kind === "range") parser.ranges++;
  const body = list(parser);
  if (kind === "range") parser.ranges--;
  const otherwise = body.ending === "else" ? alternative(parser, kind) : closed(parser, body);
  parser.variables = before;
  parser.depth--;
  return { kind, pipeline: condition, body: body.nodes, otherwise };
}

function closed(parser: Parser, { ending }: List): readonly Node[] {
  if (ending !== "end") throw unexpected(ending || "end");
  endOfAction(parser);
  return [];
}

/** `{{else}}`, `{{else if}}` or `{{else with}}`. */
function alternative(parser: Parser, kind: "if" | "with" | "range"): readonly Node[] {
  skipSpace(parser);
  const token = peek(parser);
  if (token?.kind === "word" && token.text === kind && kind !== "range") {
    parser.at++;
    return [block(parser, kind)];
  }
  endOfAction(parser);
  const rest = list(parser);
  closed(parser, rest);
  return rest.nodes;
}

function pipeline(parser: Parser, isRange: boolean): Pipeline {
  skipSpace(parser);
  const { variables, assigns } = declaration(parser, isRange);
  // Also for the pipeline itself: only when it runs its variables are not there yet.
  if (variables.length > 0) parser.variables = [...parser.variables, ...variables];
  const commands: (readonly Operand[])[] = [];
  do commands.push(command(parser));
  while (takeMark(parser, "|") && !isAtEnd(parser));
  for (const [first] of commands.slice(1)) {
    const kind = first?.base.kind;
    if (kind === "constant" || kind === "int" || kind === "float" || kind === "nil" || kind === "dot") {
      if (kind !== "dot" || first?.fields.length === 0) throw unexpected("constant");
    }
  }
  return { variables, assigns, commands };
}

/** A pipeline may end with `|`. */
function isAtEnd(parser: Parser): boolean {
  skipSpace(parser);
  const token = peek(parser);
  return token?.kind === "end" || (token?.kind === "mark" && token.text === ")");
}

function takeMark(parser: Parser, mark: string): boolean {
  skipSpace(parser);
  const token = peek(parser);
  if (token?.kind !== "mark" || token.text !== mark) return false;
  parser.at++;
  return true;
}

type Declaration = Pick<Pipeline, "variables" | "assigns">;

function declaration(parser: Parser, isRange: boolean): Declaration {
  const start = parser.at;
  const variables: string[] = [];
  for (;;) {
    skipSpace(parser);
    const token = next(parser);
    if (token?.kind !== "variable") break;
    variables.push(token.text);
    if (takeMark(parser, ":=")) return { variables, assigns: false };
    // Whether there are such variables Go asks no sooner than when it runs.
    if (takeMark(parser, "=")) return { variables, assigns: true };
    if (!isRange || variables.length > 1 || !takeMark(parser, ",")) break;
  }
  parser.at = start;
  return { variables: [], assigns: false };
}

function checkVariable(parser: Parser, name: string): void {
  if (!parser.variables.includes(name)) throw new BuiltinError(`undefined variable ${name}`);
}

function command(parser: Parser): readonly Operand[] {
  const operands: Operand[] = [];
  for (;;) {
    skipSpace(parser);
    const found = operand(parser);
    if (found === undefined) break;
    operands.push(found);
    const token = peek(parser);
    if (token?.kind === "space") continue;
    break;
  }
  const [first] = operands;
  if (first === undefined) throw unexpected("empty command");
  return operands;
}

function operand(parser: Parser): Operand | undefined {
  const isDot = peek(parser)?.kind === "dot";
  const base = term(parser);
  if (base === undefined) return undefined;
  const fields: string[] = [];
  if (isDot && peek(parser)?.kind === "field") throw unexpected("field");
  for (let token = peek(parser); token?.kind === "field"; token = peek(parser)) {
    fields.push(token.text);
    parser.at++;
  }
  const isConstant = ["constant", "int", "float", "nil", "function"].includes(base.kind);
  if (fields.length > 0 && isConstant) throw unexpected("field");
  return { base, fields };
}

function term(parser: Parser): Operand["base"] | undefined {
  const token = peek(parser);
  if (token === undefined) return undefined;
  parser.at++;
  switch (token.kind) {
    case "string":
      return { kind: "constant", value: token.text };
    case "character":
      return { kind: "int", value: BigInt(token.code) };
    case "number":
      return numberOf(token.text);
    case "dot":
      return { kind: "dot" };
    case "field":
      // The fields are read behind the dot.
      parser.at--;
      return { kind: "dot" };
    case "variable":
      checkVariable(parser, token.text);
      return { kind: "variable", name: token.text };
    case "word":
      return wordOf(token.text);
    default:
      if (token.kind === "mark" && token.text === "(") return parenthesised(parser);
      parser.at--;
      return undefined;
  }
}

function parenthesised(parser: Parser): Operand["base"] {
  if (parser.depth++ > maxDepth) throw new LimitError("template is nested too deep");
  const found = pipeline(parser, false);
  if (!takeMark(parser, ")")) throw unexpected("end of parentheses");
  parser.depth--;
  return { kind: "pipeline", pipeline: found };
}

function wordOf(word: string): Operand["base"] {
  if (word === "true" || word === "false") return { kind: "constant", value: word === "true" };
  if (word === "nil") return { kind: "nil" };
  if (!templateFunctions.has(word)) throw new BuiltinError(`function ${word} not defined`);
  return { kind: "function", name: word };
}

function numberOf(text: string): Operand["base"] {
  const plain = text.replaceAll("_", "").replace(/^\+/, "");
  if (/^-?(?:0[xXoObB]|\d+$)/.test(plain)) {
    const digits = plain.replace(/^-/, "").replace(/^0+(?=[0-7]+$)/, (zeros) => (zeros === "" ? "" : "0o"));
    const value = BigInt(digits) * (plain.startsWith("-") ? -1n : 1n);
    if (BigInt.asIntN(64, value) !== value) throw new BuiltinError("constant overflows int");
    return { kind: "int", value };
  }
  const value = Number(plain);
  if (!Number.isFinite(value)) throw new BuiltinError("illegal number syntax");
  return { kind: "float", value };
}
