import { type Ast, ast, type Field, nodesIn, textsIn } from "./graphql-ast.js";
import {
  type Parser,
  parseDirectives,
  parserOf,
  parseType,
  parseValueLiteral,
  type Some,
  unexpected,
} from "./graphql-parser.js";

/** A description, and the comments before it. */
interface Described {
  readonly text: string;
  readonly comment: Ast | undefined;
}

/** Policies bring their schema, and it is read once. */
const maxTokens = 50_000;

/** Parses a schema document (gqlparser's ParseSchema). */
export function parseSchema(text: string): Ast {
  const p = parserOf(text, maxTokens);
  const parts: Record<"Schema" | "SchemaExtension" | "Directives" | "Definitions" | "Extensions", Ast[]> = {
    Schema: [],
    SchemaExtension: [],
    Directives: [],
    Definitions: [],
    Extensions: [],
  };
  while (p.peek().kind !== "end") {
    const described = parseDescription(p);
    const { kind, value } = p.peek();
    if (kind !== "name") unexpected(p.peek());
    if (value === "schema") parts.Schema.push(parseSchemaDefinition(p, described));
    else if (value === "directive") parts.Directives.push(parseDirectiveDefinition(p, described));
    else if (value === "extend") {
      if (described.text !== "") unexpected(p.peek());
      parseExtension(p, parts);
    } else parts.Definitions.push(parseDefinition(p, described, p.keyword(value), value, false));
  }
  return ast("SchemaDocument", { ...parts, Comment: p.comment() });
}

function parseDescription(p: Parser): Described {
  const { kind } = p.peek();
  if (kind !== "string" && kind !== "block") return { text: "", comment: undefined };
  const comment = p.comment();
  return { text: p.next().value, comment };
}

function parseExtension(p: Parser, parts: { SchemaExtension: Ast[]; Extensions: Ast[] }): void {
  const comment = p.keyword("extend");
  const none = { text: "", comment: undefined };
  const { value } = p.peek();
  p.keyword(value);
  const extension =
    value === "schema" ? schemaOf(p, none, comment) : parseDefinition(p, none, comment, value, true);
  const extends_ =
    ["Directives", "Fields", "EnumValues", "OperationTypes"].some(
      (name) => nodesIn(extension, name).length > 0,
    ) ||
    (value !== "interface" && textsIn(extension, "Interfaces").length > 0) ||
    textsIn(extension, "Types").length > 0;
  if (!extends_) unexpected(p.peek());
  (value === "schema" ? parts.SchemaExtension : parts.Extensions).push(extension);
}

function parseSchemaDefinition(p: Parser, described: Described): Ast {
  return schemaOf(p, described, p.keyword("schema"));
}

function schemaOf(p: Parser, described: Described, comment: Ast | undefined): Ast {
  const directives = parseDirectives(p, true);
  const types = p.some("{", "}", () => {
    p.peek();
    const before = p.comment();
    const operation = p.name();
    if (!/^(?:query|mutation|subscription)$/.test(operation)) unexpected(p.peek());
    p.expect(":");
    return ast("OperationType", { Operation: operation, Type: p.name(), Comment: before });
  });
  return ast("Schema", {
    ...commented(described, comment),
    Directives: directives,
    OperationTypes: types.items,
    EndOfDefinitionComment: types.comment,
  });
}

function commented(described: Described, comment: Ast | undefined): Readonly<Record<string, Field>> {
  return {
    BeforeDescriptionComment: described.comment,
    Description: described.text,
    AfterDescriptionComment: comment,
  };
}

const kindsByWord: Readonly<Record<string, string>> = {
  scalar: "SCALAR",
  type: "OBJECT",
  interface: "INTERFACE",
  union: "UNION",
  enum: "ENUM",
  input: "INPUT_OBJECT",
};

/** Behind its keyword. */
function parseDefinition(
  p: Parser,
  described: Described,
  comment: Ast | undefined,
  word: string,
  extended: boolean,
): Ast {
  const kind = Object.hasOwn(kindsByWord, word) ? kindsByWord[word] : undefined;
  if (kind === undefined) return unexpected({ kind: "name", value: word });
  const name = p.name();
  const implementing = kind === "OBJECT" || (kind === "INTERFACE" && !extended);
  const interfaces = implementing && p.peek().value === "implements" ? parseInterfaces(p) : [];
  const directives = parseDirectives(p, !(kind === "INPUT_OBJECT" && extended));
  const body = parseBody(p, kind);
  return ast("Definition", {
    ...commented(described, comment),
    Kind: kind,
    Name: name,
    Interfaces: interfaces,
    Directives: directives,
    Types: kind === "UNION" && p.skip("=") ? parseNames(p, "|") : [],
    Fields: kind === "ENUM" ? [] : body.items,
    EnumValues: kind === "ENUM" ? body.items : [],
    EndOfDefinitionComment: body.comment,
  });
}

function parseBody(p: Parser, kind: string): Some {
  if (kind === "OBJECT" || kind === "INTERFACE") return p.some("{", "}", () => parseFieldDefinition(p));
  if (kind === "INPUT_OBJECT") return p.some("{", "}", () => parseInput(p, "FieldDefinition"));
  if (kind === "ENUM") {
    return p.some("{", "}", () => {
      const given = parseNamed(p);
      return ast("EnumValue", { ...given, Directives: parseDirectives(p, true) });
    });
  }
  return { items: [], comment: undefined };
}

function parseInterfaces(p: Parser): readonly string[] {
  p.next();
  return parseNames(p, "&");
}

function parseNames(p: Parser, separator: "&" | "|"): readonly string[] {
  p.skip(separator);
  const names = [p.name()];
  while (p.skip(separator)) names.push(p.name());
  return names;
}

/** A description and a name, with the comments before each. */
function parseNamed(p: Parser): Readonly<Record<string, Field>> {
  const described = parseDescription(p);
  p.peek();
  const comment = p.comment();
  const none = { text: "", comment: undefined };
  return { ...commented(described.text === "" ? none : described, comment), Name: p.name() };
}

function parseFieldDefinition(p: Parser): Ast {
  const given = parseNamed(p);
  const inputs = parseInputs(p);
  p.expect(":");
  const type = parseType(p);
  return ast("FieldDefinition", {
    ...given,
    Arguments: inputs,
    Type: type,
    Directives: parseDirectives(p, true),
  });
}

function parseInputs(p: Parser): readonly Ast[] {
  return p.some("(", ")", () => parseInput(p, "ArgumentDefinition")).items;
}

function parseInput(p: Parser, shape: "ArgumentDefinition" | "FieldDefinition"): Ast {
  const given = parseNamed(p);
  p.expect(":");
  const type = parseType(p);
  const value = p.skip("=") ? parseValueLiteral(p, true) : undefined;
  return ast(shape, { ...given, Type: type, DefaultValue: value, Directives: parseDirectives(p, true) });
}

const locations: ReadonlySet<string> = new Set(
  (
    "QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION FRAGMENT_SPREAD INLINE_FRAGMENT VARIABLE_DEFINITION " +
    "SCHEMA SCALAR OBJECT FIELD_DEFINITION ARGUMENT_DEFINITION INTERFACE UNION ENUM ENUM_VALUE INPUT_OBJECT " +
    "INPUT_FIELD_DEFINITION"
  ).split(" "),
);

function parseDirectiveDefinition(p: Parser, described: Described): Ast {
  const comment = p.keyword("directive");
  p.expect("@");
  const name = p.name();
  const inputs = parseInputs(p);
  const { kind, value } = p.peek();
  const repeatable = kind === "name" && value === "repeatable" && p.skip("name");
  p.keyword("on");
  const places = parseNames(p, "|");
  const wrong = places.find((place) => !locations.has(place));
  if (wrong !== undefined) unexpected({ kind: "name", value: wrong });
  return ast("DirectiveDefinition", {
    ...commented(described, comment),
    Name: name,
    Arguments: inputs,
    Locations: places,
    IsRepeatable: repeatable,
  });
}
