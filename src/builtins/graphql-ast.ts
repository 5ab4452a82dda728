import { BuiltinError } from "./builtin.js";
import { LimitError } from "./limit.js";
import { integerOf } from "./number.js";
import { isArray, isNumber, isObject, objectOf, type RegoObject, type Value } from "./value.js";

/** A node of gqlparser's AST, by the names of its fields there; lists are never absent. */
export interface Ast {
  readonly shape: Shape;
  readonly fields: Map<string, Field>;
}

/** The value of a field. */
export type Field = string | number | boolean | undefined | Ast | readonly Ast[] | readonly string[];

/** Which fields a node has, and what is in them: text, number, flag, texts, a node or nodes. */
interface FieldType {
  readonly is: "text" | "number" | "flag" | "texts" | "node" | "nodes";
  readonly of?: Shape;
}

/** The structs of gqlparser. */
export type Shape =
  | "Argument"
  | "ArgumentDefinition"
  | "Child"
  | "Comment"
  | "CommentGroup"
  | "Definition"
  | "Directive"
  | "DirectiveDefinition"
  | "EnumValue"
  | "Field"
  | "FieldDefinition"
  | "Fragment"
  | "Inline"
  | "Operation"
  | "OperationType"
  | "QueryDocument"
  | "Schema"
  | "SchemaDocument"
  | "Spread"
  | "Type"
  | "Value"
  | "Variable";

const text: FieldType = { is: "text" };
const flag: FieldType = { is: "flag" };
const node = (of: Shape): FieldType => ({ is: "node", of });
const nodes = (of: Shape): FieldType => ({ is: "nodes", of });
const directives = { Directives: nodes("Directive") };
const comment = { Comment: node("CommentGroup") };
const comments = {
  BeforeDescriptionComment: node("CommentGroup"),
  AfterDescriptionComment: node("CommentGroup"),
};
const described = { Description: text, Name: text, ...directives, ...comments };
const end = { EndOfDefinitionComment: node("CommentGroup") };
const selections = { SelectionSet: nodes("Field") };

const shapes: Readonly<Record<Shape, Readonly<Record<string, FieldType>>>> = {
  CommentGroup: { List: nodes("Comment") },
  Comment: { Value: text },
  QueryDocument: { Operations: nodes("Operation"), Fragments: nodes("Fragment"), ...comment },
  Operation: {
    Operation: text,
    Name: text,
    VariableDefinitions: nodes("Variable"),
    ...directives,
    ...selections,
    ...comment,
  },
  Variable: {
    Variable: text,
    Type: node("Type"),
    DefaultValue: node("Value"),
    ...directives,
    ...comment,
    Used: flag,
  },
  Type: { NamedType: text, Elem: node("Type"), NonNull: flag },
  Value: {
    Raw: text,
    Children: nodes("Child"),
    Kind: { is: "number" },
    ...comment,
    ExpectedTypeHasDefault: flag,
  },
  Child: { Name: text, Value: node("Value"), ...comment },
  Field: { Alias: text, Name: text, Arguments: nodes("Argument"), ...directives, ...selections, ...comment },
  Argument: { Name: text, Value: node("Value"), ...comment },
  Directive: { Name: text, Arguments: nodes("Argument"), Location: text },
  Spread: { Name: text, ...directives, ...comment },
  Inline: { TypeCondition: text, ...directives, ...selections, ...comment },
  Fragment: {
    Name: text,
    VariableDefinition: nodes("Variable"),
    TypeCondition: text,
    ...directives,
    ...selections,
    ...comment,
  },
  SchemaDocument: {
    Schema: nodes("Schema"),
    SchemaExtension: nodes("Schema"),
    Directives: nodes("DirectiveDefinition"),
    Definitions: nodes("Definition"),
    Extensions: nodes("Definition"),
    ...comment,
  },
  Schema: { Description: text, ...directives, OperationTypes: nodes("OperationType"), ...comments, ...end },
  OperationType: { Operation: text, Type: text, ...comment },
  Definition: {
    Kind: text,
    ...described,
    Interfaces: { is: "texts" },
    Fields: nodes("FieldDefinition"),
    Types: { is: "texts" },
    EnumValues: nodes("EnumValue"),
    BuiltIn: flag,
    ...end,
  },
  FieldDefinition: {
    ...described,
    Arguments: nodes("ArgumentDefinition"),
    DefaultValue: node("Value"),
    Type: node("Type"),
  },
  ArgumentDefinition: { ...described, DefaultValue: node("Value"), Type: node("Type") },
  EnumValue: described,
  DirectiveDefinition: {
    Description: text,
    Name: text,
    Arguments: nodes("ArgumentDefinition"),
    Locations: { is: "texts" },
    IsRepeatable: flag,
    ...comments,
  },
};

function typesOf(shape: Shape): Readonly<Record<string, FieldType>> {
  return shapes[shape];
}

/** A node with the given fields; the others are empty. */
export function ast(shape: Shape, given: Readonly<Record<string, Field>>): Ast {
  const fields = new Map<string, Field>();
  for (const [name, type] of Object.entries(typesOf(shape))) fields.set(name, given[name] ?? empty(type));
  return { shape, fields };
}

function empty({ is }: FieldType): Field {
  if (is === "text") return "";
  if (is === "number") return 0;
  if (is === "flag") return false;
  return is === "node" ? undefined : [];
}

/** A field that is text. */
export function textIn(of: Ast, name: string): string {
  const value = of.fields.get(name);
  return typeof value === "string" ? value : "";
}

/** A field that is a node. */
export function nodeIn(of: Ast, name: string): Ast | undefined {
  const value = of.fields.get(name);
  return typeof value === "object" && "shape" in value ? value : undefined;
}

/** A field that is a list of nodes. */
export function nodesIn(of: Ast, name: string): readonly Ast[] {
  const value = of.fields.get(name);
  return Array.isArray(value) ? value.filter((item): item is Ast => typeof item !== "string") : [];
}

/** A field that is a list of texts. */
export function textsIn(of: Ast, name: string): readonly string[] {
  const value = of.fields.get(name);
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** A field that is a flag. */
export function flagIn(of: Ast, name: string): boolean {
  return of.fields.get(name) === true;
}

/** The value that policies see: without what is null or empty, as OPA prunes it. */
export function astValue({ fields }: Ast): RegoObject {
  const entries: [Value, Value][] = [];
  for (const [name, field] of fields) {
    if (field === undefined) continue;
    if (typeof field !== "object") entries.push([name, field]);
    else if ("shape" in field) {
      const inner = astValue(field);
      if (inner.size > 0) entries.push([name, inner]);
    } else {
      const items = field.map((item) => (typeof item === "string" ? item : astValue(item)));
      const kept = items.filter((item) => typeof item === "string" || item.size > 0);
      if (kept.length > 0) entries.push([name, kept]);
    }
  }
  return objectOf(entries);
}

const maxDepth = 200;

/**
 * Reads a node from a value like those that {@link astValue} gives, as Go's JSON decoder fills gqlparser's structs:
 * what is missing is empty, each selection is a field (so fragments in it are lost), and so are some comments.
 */
export function readAst(shape: Shape, value: Value, depth = 0): Ast {
  if (!isObject(value)) throw new BuiltinError("graphql document must be an object");
  if (depth > maxDepth) throw new LimitError("graphql document is nested too deeply");
  const given: Record<string, Field> = {};
  const withoutComment = ["Operation", "Field", "Fragment"].includes(shape);
  for (const [name, type] of Object.entries(typesOf(shape))) {
    const member = value.get(name);
    if (member === undefined || member === null || (withoutComment && name === "Comment")) continue;
    given[name] = readField(type, member, depth);
  }
  return ast(shape, given);
}

function readField({ is, of }: FieldType, value: Value, depth: number): Field {
  if (is === "text" && typeof value === "string") return value;
  if (is === "flag" && typeof value === "boolean") return value;
  if (is === "number" && isNumber(value)) return Number(integerOf(value) ?? -1n);
  if (is === "node" && of !== undefined) return readAst(of, value, depth + 1);
  if (is === "nodes" && of !== undefined && isArray(value)) {
    return value.map((item) => readAst(of, item ?? new Map(), depth + 1));
  }
  if (is === "texts" && isArray(value)) {
    const texts = value.filter((item) => typeof item === "string");
    if (texts.length === value.length) return texts;
  }
  throw new BuiltinError("graphql document has a field of another type");
}
