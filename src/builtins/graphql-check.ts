import { BuiltinError } from "./builtin.js";
import { type Ast, ast, flagIn, nodeIn, nodesIn, textIn, textsIn } from "./graphql-ast.js";
import { kinds } from "./graphql-parser.js";
import { parseSchema } from "./graphql-schema.js";

/** A schema document that makes sense: extensions are joined to what they extend. */
export interface CheckedSchema {
  readonly types: ReadonlyMap<string, Ast>;
  readonly directives: ReadonlyMap<string, Ast>;
  /** The root types by operation. */
  readonly roots: ReadonlyMap<string, string>;
}

/** What every schema has (gqlparser's prelude, without the types of introspection). */
const prelude: Ast = parseSchema(`
  scalar Int scalar Float scalar String scalar Boolean scalar ID
  directive @defer(if: Boolean = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
  directive @include(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
  directive @skip(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
  directive @deprecated(reason: String = "No longer supported")
    on FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION | ENUM_VALUE
  directive @specifiedBy(url: String!) on SCALAR
  directive @oneOf on INPUT_OBJECT
`);

/** Types of introspection: a schema may name but not declare them. */
const introspection: readonly string[] = [
  "__Schema",
  "__Type",
  "__Field",
  "__InputValue",
  "__EnumValue",
  "__Directive",
];
const introspectionEnums: readonly string[] = ["__TypeKind", "__DirectiveLocation"];
const builtinDirectives = ["include", "skip", "deprecated", "specifiedBy", "defer", "oneOf"];

function wrong(message: string): never {
  throw new BuiltinError(message);
}

/** Checks a schema document as gqlparser's ValidateSchemaDocument; throws a BuiltinError where that finds fault. */
export function checkSchema(document: Ast): CheckedSchema {
  const types = declaredTypes(document);
  const directives = new Map<string, Ast>();
  for (const directive of [...nodesIn(prelude, "Directives"), ...nodesIn(document, "Directives")]) {
    const name = textIn(directive, "Name");
    if (directives.has(name) && !builtinDirectives.includes(name))
      wrong(`cannot redeclare directive ${name}`);
    directives.set(name, directive);
  }
  const schema = { types, directives, roots: rootsOf(document, types) };
  for (const root of [...nodesIn(document, "Schema"), ...nodesIn(document, "SchemaExtension")]) {
    checkDirectives(schema, root, "SCHEMA");
  }
  for (const definition of types.values()) checkDefinition(schema, definition);
  checkInputCycles(types);
  for (const [name, directive] of directives) {
    checkName(name);
    checkArguments(schema, directive, name);
  }
  return schema;
}

function declaredTypes(document: Ast): Map<string, Ast> {
  const types = new Map<string, Ast>();
  for (const name of introspection) types.set(name, builtIn("OBJECT", name));
  for (const name of introspectionEnums) types.set(name, builtIn("ENUM", name));
  for (const definition of [...nodesIn(prelude, "Definitions"), ...nodesIn(document, "Definitions")]) {
    const name = textIn(definition, "Name");
    if (types.has(name)) wrong(`cannot redeclare type ${name}`);
    types.set(name, definition);
  }
  for (const extension of nodesIn(document, "Extensions")) {
    const [name, kind] = [textIn(extension, "Name"), textIn(extension, "Kind")];
    const base = types.get(name);
    if (base === undefined) types.set(name, extension);
    else if (textIn(base, "Kind") !== kind) wrong(`cannot extend type ${name} of another kind`);
    else types.set(name, extended(base, extension));
  }
  return types;
}

function builtIn(kind: string, name: string): Ast {
  return ast("Definition", { Kind: kind, Name: name, BuiltIn: true });
}

function extended(base: Ast, extension: Ast): Ast {
  const lists = Object.fromEntries(
    ["Directives", "Fields", "EnumValues"].map((key) => [
      key,
      [...nodesIn(base, key), ...nodesIn(extension, key)],
    ]),
  );
  const names = Object.fromEntries(
    ["Interfaces", "Types"].map((key) => [key, [...textsIn(base, key), ...textsIn(extension, key)]]),
  );
  return ast("Definition", { ...Object.fromEntries(base.fields), ...lists, ...names });
}

function rootsOf(document: Ast, types: ReadonlyMap<string, Ast>): ReadonlyMap<string, string> {
  const roots = new Map<string, string>();
  const schemas = nodesIn(document, "Schema");
  if (schemas.length > 1) wrong("cannot have multiple schema entry points");
  for (const schema of [...schemas, ...nodesIn(document, "SchemaExtension")]) {
    for (const root of nodesIn(schema, "OperationTypes")) {
      const type = textIn(root, "Type");
      if (!types.has(type)) wrong(`schema root refers to a type ${type} that does not exist`);
      roots.set(textIn(root, "Operation"), type);
    }
  }
  if (schemas.length === 0) {
    for (const type of ["Query", "Mutation", "Subscription"]) {
      const operation = type.toLowerCase();
      if (types.has(type) && !roots.has(operation)) roots.set(operation, type);
    }
  }
  return roots;
}

function checkName(name: string): void {
  if (name.startsWith("__")) wrong(`name ${name} must not begin with "__"`);
}

function typeNameIn(type: Ast | undefined): string {
  let at = type;
  while (at !== undefined && textIn(at, "NamedType") === "") at = nodeIn(at, "Elem");
  return at === undefined ? "" : textIn(at, "NamedType");
}

function kindOf({ types }: CheckedSchema, name: string): string {
  const type = types.get(name);
  return type === undefined ? wrong(`undefined type ${name}`) : textIn(type, "Kind");
}

const inputKinds = ["SCALAR", "ENUM", "INPUT_OBJECT"];
const outputKinds = ["SCALAR", "OBJECT", "INTERFACE", "UNION", "ENUM"];

function checkDefinition(schema: CheckedSchema, definition: Ast): void {
  if (
    flagIn(definition, "BuiltIn") &&
    introspection.concat(introspectionEnums).includes(textIn(definition, "Name"))
  ) {
    return;
  }
  const kind = textIn(definition, "Kind");
  const [fields, values, members] = [
    nodesIn(definition, "Fields"),
    nodesIn(definition, "EnumValues"),
    textsIn(definition, "Types"),
  ];
  for (const field of fields) {
    checkName(textIn(field, "Name"));
    const fieldKind = kindOf(schema, typeNameIn(nodeIn(field, "Type")));
    checkArguments(schema, field);
    checkDirectives(schema, field, kind === "INPUT_OBJECT" ? "INPUT_FIELD_DEFINITION" : "FIELD_DEFINITION");
    const allowed = kind === "INPUT_OBJECT" ? inputKinds : outputKinds;
    if (kind !== "SCALAR" && kind !== "UNION" && kind !== "ENUM" && !allowed.includes(fieldKind)) {
      wrong(`field ${textIn(field, "Name")} has a type of a wrong kind`);
    }
  }
  for (const member of members)
    if (kindOf(schema, member) !== "OBJECT") wrong(`type ${member} must be an object`);
  for (const name of textsIn(definition, "Interfaces")) checkImplements(schema, definition, name);
  if (["OBJECT", "INTERFACE", "INPUT_OBJECT"].includes(kind) && fields.length === 0) {
    wrong(`${textIn(definition, "Name")} must define one or more fields`);
  }
  if (kind === "ENUM" && values.length === 0) wrong(`${textIn(definition, "Name")} must define values`);
  for (const value of values) {
    if (/^(?:true|false|null)$/.test(textIn(value, "Name"))) wrong("non-enum value");
    if (kind === "ENUM") checkDirectives(schema, value, "ENUM_VALUE");
  }
  checkUnique(fields.map((field) => textIn(field, "Name")));
  checkUnique(values.map((value) => textIn(value, "Name")));
  checkUnique(members);
  if (!flagIn(definition, "BuiltIn")) checkName(textIn(definition, "Name"));
  checkDirectives(schema, definition, kind, { repeated: true });
}

function checkUnique(names: readonly string[]): void {
  if (new Set(names).size < names.length) wrong("names must be unique");
}

function checkArguments(schema: CheckedSchema, of: Ast, directive?: string): void {
  for (const argument of nodesIn(of, "Arguments")) {
    checkName(textIn(argument, "Name"));
    const kind = kindOf(schema, typeNameIn(nodeIn(argument, "Type")));
    if (!inputKinds.includes(kind)) wrong(`${textIn(argument, "Name")} is not of a valid input type`);
    checkDirectives(schema, argument, "ARGUMENT_DEFINITION", { inside: directive });
  }
}

interface Where {
  /** The directive whose definition this is. */
  readonly inside?: string | undefined;
  /** The same directive may stand twice, since extensions may have brought it. */
  readonly repeated?: boolean;
}

function checkDirectives(schema: CheckedSchema, of: Ast, location: string, where: Where = {}): void {
  const seen = new Set<string>();
  for (const directive of nodesIn(of, "Directives")) {
    const name = textIn(directive, "Name");
    checkName(name);
    if (name === where.inside) wrong(`directive ${name} cannot refer to itself`);
    const definition = schema.directives.get(name) ?? wrong(`undefined directive ${name}`);
    if (seen.has(name) && where.repeated !== true && !flagIn(definition, "IsRepeatable")) {
      wrong(`the directive ${name} can only be used once at this location`);
    }
    seen.add(name);
    if (!textsIn(definition, "Locations").includes(location))
      wrong(`directive ${name} is not applicable here`);
    checkGiven(directive, definition);
  }
}

function checkGiven(directive: Ast, definition: Ast): void {
  const given = nodesIn(directive, "Arguments");
  const declared = nodesIn(definition, "Arguments");
  for (const argument of given) {
    if (named(declared, textIn(argument, "Name")) === undefined) wrong("undefined argument of a directive");
  }
  for (const argument of declared) {
    const type = nodeIn(argument, "Type");
    if (type === undefined || !flagIn(type, "NonNull") || nodeIn(argument, "DefaultValue") !== undefined)
      continue;
    const found = named(given, textIn(argument, "Name"));
    const value = found === undefined ? undefined : nodeIn(found, "Value");
    if (value === undefined || value.fields.get("Kind") === kinds.null)
      wrong("argument of a directive cannot be null");
  }
}

function named(nodes: readonly Ast[], name: string): Ast | undefined {
  return nodes.find((node) => textIn(node, "Name") === name);
}

function checkImplements(schema: CheckedSchema, definition: Ast, name: string): void {
  if (kindOf(schema, name) !== "INTERFACE") wrong(`${name} is a non interface type`);
  const contract = schema.types.get(name) as Ast;
  for (const required of nodesIn(contract, "Fields")) {
    const found =
      named(nodesIn(definition, "Fields"), textIn(required, "Name")) ?? wrong("a field is missing");
    if (!isCovariant(schema, nodeIn(required, "Type"), nodeIn(found, "Type")))
      wrong("a field has another type");
    checkSameArguments(required, found);
  }
  const implemented = textsIn(definition, "Interfaces");
  for (const further of textsIn(contract, "Interfaces")) {
    if (!implemented.includes(further)) wrong(`type must implement ${further}`);
  }
}

function checkSameArguments(required: Ast, found: Ast): void {
  const [wanted, given] = [nodesIn(required, "Arguments"), nodesIn(found, "Arguments")];
  for (const argument of wanted) {
    const same = named(given, textIn(argument, "Name"));
    if (same === undefined || !isCompatible(nodeIn(argument, "Type"), nodeIn(same, "Type"))) {
      wrong("an argument is missing or has the wrong type");
    }
  }
  for (const argument of given) {
    const type = nodeIn(argument, "Type");
    const optional =
      named(wanted, textIn(argument, "Name")) !== undefined ||
      type === undefined ||
      !flagIn(type, "NonNull") ||
      nodeIn(argument, "DefaultValue") !== undefined;
    if (!optional) wrong("any additional argument must be optional");
  }
}

function isCompatible(type: Ast | undefined, other: Ast | undefined): boolean {
  if (type === undefined || other === undefined) return type === other;
  if (textIn(type, "NamedType") !== textIn(other, "NamedType")) return false;
  const elem = nodeIn(type, "Elem");
  if (elem !== undefined && !isCompatible(elem, nodeIn(other, "Elem"))) return false;
  return !flagIn(other, "NonNull") || flagIn(type, "NonNull");
}

function isCovariant(schema: CheckedSchema, required: Ast | undefined, actual: Ast | undefined): boolean {
  if (required === undefined || actual === undefined) return false;
  if (flagIn(required, "NonNull") && !flagIn(actual, "NonNull")) return false;
  const name = textIn(required, "NamedType");
  if (name === "") return isCovariant(schema, nodeIn(required, "Elem"), nodeIn(actual, "Elem"));
  const other = textIn(actual, "NamedType");
  if (name === other) return true;
  const type = schema.types.get(name);
  if (type !== undefined && textIn(type, "Kind") === "UNION" && textsIn(type, "Types").includes(other))
    return true;
  const candidate = schema.types.get(other);
  return candidate !== undefined && textsIn(candidate, "Interfaces").includes(name);
}

/** Input objects that need each other without end. */
function checkInputCycles(types: ReadonlyMap<string, Ast>): void {
  const done = new Set<string>();
  const open = new Set<string>();
  const visit = (name: string): void => {
    const type = types.get(name);
    if (done.has(name) || type === undefined || textIn(type, "Kind") !== "INPUT_OBJECT") return;
    if (open.has(name)) wrong(`cannot reference input object ${name} within itself`);
    if (open.size > 500) wrong("schema is nested too deeply");
    open.add(name);
    for (const field of nodesIn(type, "Fields")) {
      const fieldType = nodeIn(field, "Type");
      if (fieldType !== undefined && flagIn(fieldType, "NonNull")) visit(textIn(fieldType, "NamedType"));
    }
    open.delete(name);
    done.add(name);
  };
  for (const name of types.keys()) visit(name);
}
