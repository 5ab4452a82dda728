import { type Ast, ast } from "./graphql-ast.js";
import {
  type Parser,
  parseArguments,
  parseDirectives,
  parserOf,
  parseType,
  parseValueLiteral,
  parseVariable,
  unexpected,
} from "./graphql-parser.js";

/** A query with more is an attack: requests bring it. */
const maxTokens = 3_000;

/** Parses a query document (gqlparser's ParseQuery). */
export function parseQuery(text: string): Ast {
  const p = parserOf(text, maxTokens);
  const operations: Ast[] = [];
  const fragments: Ast[] = [];
  for (let token = p.peek(); token.kind !== "end"; token = p.peek()) {
    if (token.kind === "{")
      operations.push(ast("Operation", { Operation: "query", SelectionSet: parseSelections(p) }));
    else if (token.kind !== "name") unexpected(token);
    else if (token.value === "fragment") fragments.push(parseFragmentDefinition(p));
    else if (/^(?:query|mutation|subscription)$/.test(token.value)) operations.push(parseOperation(p));
    else unexpected(token);
  }
  return ast("QueryDocument", { Operations: operations, Fragments: fragments });
}

function parseOperation(p: Parser): Ast {
  const comment = p.comment();
  const operation = p.name();
  const name = p.peek().kind === "name" ? p.name() : "";
  const variables = parseVariables(p);
  const directives = parseDirectives(p, false);
  return ast("Operation", {
    Operation: operation,
    Name: name,
    VariableDefinitions: variables,
    Directives: directives,
    SelectionSet: parseSelections(p),
    Comment: comment,
  });
}

function parseVariables(p: Parser): readonly Ast[] {
  return p.some("(", ")", () => {
    p.peek();
    const comment = p.comment();
    const name = parseVariable(p);
    p.expect(":");
    const type = parseType(p);
    const value = p.skip("=") ? parseValueLiteral(p, true) : undefined;
    const directives = parseDirectives(p, false);
    return ast("Variable", {
      Variable: name,
      Type: type,
      DefaultValue: value,
      Directives: directives,
      Comment: comment,
    });
  }).items;
}

function parseSelections(p: Parser): readonly Ast[] {
  if (p.peek().kind !== "{") unexpected(p.peek());
  return p.nested(
    () => p.some("{", "}", () => (p.peek().kind === "..." ? parseFragment(p) : parseField(p))).items,
  );
}

function parseField(p: Parser): Ast {
  p.peek();
  const comment = p.comment();
  const alias = p.name();
  const name = p.skip(":") ? p.name() : alias;
  const given = parseArguments(p, false);
  const directives = parseDirectives(p, false);
  return ast("Field", {
    Alias: alias,
    Name: name,
    Arguments: given,
    Directives: directives,
    SelectionSet: p.peek().kind === "{" ? parseSelections(p) : [],
    Comment: comment,
  });
}

function parseFragment(p: Parser): Ast {
  const comment = p.expect("...");
  const token = p.peek();
  if (token.kind === "name" && token.value !== "on") {
    const name = p.name();
    return ast("Spread", { Name: name, Directives: parseDirectives(p, false), Comment: comment });
  }
  const condition = p.peek().value === "on" && p.next() !== undefined ? p.name() : "";
  const directives = parseDirectives(p, false);
  return ast("Inline", {
    TypeCondition: condition,
    Directives: directives,
    SelectionSet: parseSelections(p),
    Comment: comment,
  });
}

function parseFragmentDefinition(p: Parser): Ast {
  const comment = p.keyword("fragment");
  if (p.peek().value === "on") unexpected(p.peek());
  const name = p.name();
  const variables = parseVariables(p);
  p.keyword("on");
  const condition = p.name();
  const directives = parseDirectives(p, false);
  return ast("Fragment", {
    Name: name,
    VariableDefinition: variables,
    TypeCondition: condition,
    Directives: directives,
    SelectionSet: parseSelections(p),
    Comment: comment,
  });
}
