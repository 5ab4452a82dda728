import { buildASTSchema, type GraphQLSchema, specifiedRules, validate } from "graphql";
import { LRUCache } from "lru-cache";
import { stringAt } from "./arguments.js";
import { type Builtin, BuiltinError, type Builtins } from "./builtin.js";
import { type Ast, astValue, nodesIn, readAst, textIn } from "./graphql-ast.js";
import { type CheckedSchema, checkSchema } from "./graphql-check.js";
import { queryNodes, schemaNodes, setDefaults } from "./graphql-nodes.js";
import { parseQuery } from "./graphql-query.js";
import { parseSchema } from "./graphql-schema.js";
import { LimitError } from "./limit.js";
import { valueText } from "./text.js";
import { isObject, type RegoObject, type Value } from "./value.js";

/**
 * GraphQL (v1/topdown/graphql.go over gqlparser): ASTs are those of gqlparser, with its upper-case names, without what
 * is null or empty. Queries and schemas are texts, or such ASTs.
 */
export const graphql: Builtins = {
  "graphql.parse": ([query = null, schema = null]) => verified(query, schema),
  "graphql.parse_and_verify": ([query = null, schema = null]) =>
    attempt<Value>(() => [true, ...verified(query, schema)], [false, new Map(), new Map()]),
  "graphql.parse_query": (args) => astValue(parseQuery(stringAt(args, 0))),
  "graphql.parse_schema": (args) => astValue(parseSchema(stringAt(args, 0))),
  "graphql.is_valid": ([query = null, schema = null]) =>
    attempt(() => verified(query, schema).length > 0, false),
  "graphql.schema_is_valid": ([schema = null]) =>
    attempt(() => checkedSchema(schema).value !== undefined, false),
} satisfies Readonly<Record<string, Builtin>>;

function attempt<T>(action: () => T, otherwise: T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof BuiltinError && !(error instanceof LimitError)) return otherwise;
    throw error;
  }
}

/** The ASTs of a query and of the schema that it fits. */
function verified(query: Value, schema: Value): readonly [RegoObject, RegoObject] {
  const document = documentOf(query, parseQuery, "QueryDocument");
  const known = checkedSchema(schema);
  for (const operation of nodesIn(document, "Operations")) {
    if (!known.checked.roots.has(textIn(operation, "Operation"))) {
      throw new BuiltinError("schema does not support this operation type");
    }
  }
  known.schema ??= build(known.checked);
  const [error] = validate(known.schema, queryNodes(document), specifiedRules, { maxErrors: 1 });
  if (error !== undefined) throw new BuiltinError(error.message);
  return [astValue(document), known.value];
}

function documentOf(
  given: Value,
  parse: (text: string) => Ast,
  shape: "QueryDocument" | "SchemaDocument",
): Ast {
  if (typeof given === "string") return parse(given);
  if (isObject(given)) return readAst(shape, given);
  throw new BuiltinError("operand must be one of {string, object}");
}

interface Known {
  readonly checked: CheckedSchema;
  readonly value: RegoObject;
  /** Made when a query is held against it for the first time. */
  schema?: GraphQLSchema;
}

/** Schemas by their text; the one that was not asked for the longest goes first. */
const cache = new LRUCache<string, Known>({ max: 10 });
const maxCachedUnits = 256 * 1024;

function checkedSchema(given: Value): Known {
  const key = valueText(given);
  const cached = cache.get(key);
  if (cached !== undefined) return cached;
  const document = documentOf(given, parseSchema, "SchemaDocument");
  const checked = checkSchema(document);
  const known: Known = { checked, value: astValue(document) };
  if (key.length <= maxCachedUnits) cache.set(key, known);
  return known;
}

function build(checked: CheckedSchema): GraphQLSchema {
  try {
    const schema = buildASTSchema(schemaNodes(checked), { assumeValid: true, assumeValidSDL: true });
    setDefaults(schema, checked);
    return schema;
  } catch (cause) {
    throw new BuiltinError(cause instanceof Error ? cause.message : "invalid graphql schema");
  }
}
