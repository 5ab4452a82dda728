import { RE2JS } from "re2js";
import { BuiltinError } from "./builtin.js";
import { parseGoUrl } from "./go-url.js";
import { anySchema, type Draft, type Numeric, type Schema, since, typeNames } from "./json-schema-model.js";
import { type Pool, poolOf } from "./json-schema-reference.js";
import { writeJson } from "./json-text.js";
import { LimitError } from "./limit.js";
import { compareNumbers, integerOf, numberOf, numberText } from "./number.js";
import { isArray, isNumber, isObject, type RegoObject, type Value } from "./value.js";

/** Schemas that a schema may consist of, and levels of them. */
const maxSchemas = 50_000;
const maxDepth = 200;

interface Compiling {
  readonly pool: Pool;
  readonly byReference: Map<string, Schema>;
  schemas: number;
}

/**
 * Compiles a schema from its JSON; throws a BuiltinError that says what is wrong with it, in the words of
 * gojsonschema, which OPA gives to policies. References lead to places within the schema only.
 */
export function compileSchema(root: Value): Schema {
  const draft = draftOf(root);
  const schema = anySchema(draft);
  fill(schema, root, { pool: poolOf(root), byReference: new Map(), schemas: 0 }, 0);
  return schema;
}

function draftOf(root: Value): Draft {
  if (typeof root === "boolean") return "hybrid";
  if (!isObject(root)) throw new BuiltinError("schema is invalid");
  const named = root.get("$schema");
  if (named === undefined) return "hybrid";
  if (typeof named !== "string") throw new BuiltinError("$schema must be of type string");
  parseGoUrl(named);
  const found = /^http:\/\/json-schema\.org\/draft-0([467])\/schema#?$/.exec(named)?.[1];
  return found === "4" ? 4 : found === "6" ? 6 : found === "7" ? 7 : "hybrid";
}

function child(value: Value, parent: Schema, compiling: Compiling, depth: number): Schema {
  const schema = anySchema(parent.draft);
  fill(schema, value, compiling, depth + 1);
  return schema;
}

function fill(schema: Schema, value: Value, compiling: Compiling, depth: number): void {
  if (++compiling.schemas > maxSchemas || depth > maxDepth) throw new LimitError("schema is too large");
  if (typeof value === "boolean" && since(schema.draft, 6)) {
    schema.pass = value;
    return;
  }
  if (!isObject(value)) throw new BuiltinError("Expected: Valid Schema, given: Invalid JSON");
  const { draft } = schema;
  const sub = (member: Value): Schema => child(member, schema, compiling, depth);
  const id = textAt(value, draft === 4 || (draft === "hybrid" && value.has("id")) ? "id" : "$id");
  if (id !== undefined) parseGoUrl(id);
  for (const definition of membersAt(value, "definitions", () =>
    wrongType("Array Of Schemas", "definitions"),
  )) {
    if (!isSchema(definition)) throw wrongType("Array Of Schemas", "definitions");
    sub(definition);
  }
  textAt(value, "title");
  textAt(value, "description");
  const reference = textAt(value, "$ref");
  if (reference !== undefined) {
    const target = compiling.pool.references.get(value) ?? reference;
    const known = compiling.byReference.get(target);
    schema.reference = known ?? referred(target, schema, compiling, depth);
    if (known === undefined) return;
  }
  fillTypes(schema, value);
  fillObjectRules(schema, value, sub);
  fillArrayRules(schema, value, sub);
  fillNumberRules(schema, value);
  fillTextRules(schema, value);
  fillSizes(schema, value);
  fillValues(schema, value);
  fillCombinations(schema, value, sub);
}

function referred(target: string, parent: Schema, compiling: Compiling, depth: number): Schema {
  const schema = anySchema(parent.draft);
  compiling.byReference.set(target, schema);
  const found = compiling.pool.resolve(target);
  if (!isSchema(found)) throw new BuiltinError("Valid Schema must be of type object");
  fill(schema, found, compiling, depth + 1);
  return schema;
}

function isSchema(value: Value): boolean {
  return typeof value === "boolean" || isObject(value);
}

function wrongType(expected: string, given: string): BuiltinError {
  return new BuiltinError(`Invalid type. Expected: ${expected}, given: ${given}`);
}

function textAt(object: RegoObject, key: string): string | undefined {
  const value = object.get(key);
  if (value === undefined || typeof value === "string") return value;
  throw wrongType("string", key);
}

function membersAt(object: RegoObject, key: string, wrong: () => BuiltinError): Iterable<Value> {
  const value = object.get(key);
  if (value === undefined) return [];
  if (!isObject(value)) throw wrong();
  return value.values();
}

function listAt(object: RegoObject, key: string): readonly Value[] | undefined {
  const value = object.get(key);
  if (value === undefined || isArray(value)) return value;
  throw new BuiltinError(`${key} must be of an array`);
}

function fillTypes(schema: Schema, object: RegoObject): void {
  const given = object.get("type");
  if (given === undefined) return;
  for (const type of isArray(given) ? given : [given]) {
    if (typeof type !== "string") throw wrongType("type", "string/Array Of Strings");
    if (!typeNames.includes(type)) {
      const expected = `[${typeNames.join(" ")}]`;
      throw new BuiltinError(
        `has a primitive type that is NOT VALID -- given: /${type}/ Expected valid values are:${expected}`,
      );
    }
    if (schema.types.includes(type)) throw new BuiltinError(`${type} type is duplicated`);
    schema.types.push(type);
  }
}

type Sub = (value: Value) => Schema;

function fillObjectRules(schema: Schema, object: RegoObject, sub: Sub): void {
  const properties = object.get("properties");
  if (properties !== undefined) {
    if (!isObject(properties)) throw new BuiltinError("Properties must be of type object");
    for (const [name, value] of properties) schema.properties.set(String(name), sub(value));
  }
  schema.additionalProperties = flagOrSchema(object, "additionalProperties", sub);
  const patterns = object.get("patternProperties");
  if (patterns !== undefined) {
    if (!isObject(patterns)) throw wrongType("Valid Schema", "patternProperties");
    for (const [text, value] of patterns) {
      const pattern = compiled(String(text), `Invalid regex pattern '${String(text)}'`);
      schema.patternProperties.push({ pattern, schema: sub(value) });
    }
  }
  const names = object.get("propertyNames");
  if (names !== undefined && since(schema.draft, 6)) {
    if (!isSchema(names)) throw wrongType("Valid Schema", "patternProperties");
    schema.propertyNames = sub(names);
  }
  const dependencies = object.get("dependencies");
  if (dependencies === undefined) return;
  if (!isObject(dependencies)) throw new BuiltinError("dependencies must be of type object");
  for (const [name, value] of dependencies) {
    const names = isArray(value) ? value.filter((item) => typeof item === "string") : [];
    if (isArray(value) ? names.length !== value.length : !isSchema(value)) {
      throw new BuiltinError("Dependency must be of type Schema Or Array Of Strings");
    }
    schema.dependencies.set(String(name), isArray(value) ? names : sub(value));
  }
}

function flagOrSchema(object: RegoObject, key: string, sub: Sub): boolean | Schema {
  const value = object.get(key);
  if (value === undefined) return true;
  if (typeof value === "boolean") return value;
  if (!isObject(value)) throw wrongType("boolean/Valid Schema", key);
  return sub(value);
}

function compiled(pattern: string, message: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch {
    throw new BuiltinError(message);
  }
}

function fillArrayRules(schema: Schema, object: RegoObject, sub: Sub): void {
  const items = object.get("items");
  if (items !== undefined) {
    const list = isArray(items) ? items : [items];
    if (!list.every(isSchema)) throw wrongType("Valid Schema/Array Of Schemas", "items");
    schema.items = isArray(items) ? items.map(sub) : sub(items);
  }
  schema.additionalItems = flagOrSchema(object, "additionalItems", sub);
}

function fillNumberRules(schema: Schema, object: RegoObject): void {
  const multipleOf = object.get("multipleOf");
  if (multipleOf !== undefined) {
    if (!isNumber(multipleOf)) throw wrongType("Number", "multipleOf");
    if (compareNumbers(multipleOf, 0) <= 0)
      throw new BuiltinError("multipleOf must be strictly greater than 0");
    schema.multipleOf = multipleOf;
  }
  schema.minimum = limitAt(object, "minimum");
  schema.exclusiveMinimum = exclusiveAt(schema, object, "exclusiveMinimum", "minimum");
  schema.maximum = limitAt(object, "maximum");
  schema.exclusiveMaximum = exclusiveAt(schema, object, "exclusiveMaximum", "maximum");
}

function limitAt(object: RegoObject, key: string): Numeric | undefined {
  const value = object.get(key);
  if (value === undefined || isNumber(value)) return value;
  throw new BuiltinError(`${key} must be of a Number`);
}

/** In draft 4 a flag that makes the other limit exclusive, since draft 6 a limit of its own. */
function exclusiveAt(
  schema: Schema,
  object: RegoObject,
  key: string,
  limit: "minimum" | "maximum",
): Numeric | undefined {
  const value = object.get(key);
  if (value === undefined) return undefined;
  const { draft } = schema;
  if (typeof value === "boolean" && (draft === 4 || draft === "hybrid")) {
    const inclusive = schema[limit];
    if (inclusive === undefined) throw new BuiltinError(`${key} cannot be used without ${limit}`);
    if (!value) return undefined;
    schema[limit] = undefined;
    return inclusive;
  }
  if (isNumber(value) && draft !== 4) return value;
  throw wrongType(draft === 4 ? "boolean" : draft === "hybrid" ? "boolean/number" : "number", key);
}

function fillTextRules(schema: Schema, object: RegoObject): void {
  schema.minLength = sizeAt(object, "minLength");
  schema.maxLength = sizeAt(object, "maxLength");
  if ((schema.minLength ?? 0) > (schema.maxLength ?? Number.POSITIVE_INFINITY)) {
    throw new BuiltinError("minLength cannot be greater than maxLength");
  }
  const pattern = textAt(object, "pattern");
  if (pattern !== undefined) {
    schema.pattern = { text: pattern, regex: compiled(pattern, "pattern must be a valid regex") };
  }
  schema.format = textAt(object, "format") ?? "";
}

/** Integers are told by their text: `2.0` is none. */
function sizeAt(object: RegoObject, key: string): number | undefined {
  const value = object.get(key);
  if (value === undefined) return undefined;
  const number = isNumber(value) && /^-?\d+$/.test(numberText(value)) ? integerOf(value) : undefined;
  if (number === undefined || BigInt.asIntN(64, number) !== number) {
    throw new BuiltinError(`${key} must be of an integer`);
  }
  if (number < 0n) throw new BuiltinError(`${key} must be greater than or equal to 0`);
  return Number(number);
}

function fillSizes(schema: Schema, object: RegoObject): void {
  schema.minProperties = sizeAt(object, "minProperties");
  schema.maxProperties = sizeAt(object, "maxProperties");
  if ((schema.minProperties ?? 0) > (schema.maxProperties ?? Number.POSITIVE_INFINITY)) {
    throw new BuiltinError("minProperties cannot be greater than maxProperties");
  }
  const required = new Set<string>();
  for (const name of listAt(object, "required") ?? []) {
    if (typeof name !== "string") throw wrongType("string", "required");
    if (required.has(name)) throw new BuiltinError("required items must be unique");
    required.add(name);
  }
  schema.required = [...required];
  schema.minItems = sizeAt(object, "minItems");
  schema.maxItems = sizeAt(object, "maxItems");
  const unique = object.get("uniqueItems");
  if (unique !== undefined && typeof unique !== "boolean") {
    throw new BuiltinError("uniqueItems must be of a boolean");
  }
  schema.uniqueItems = unique ?? false;
}

function fillValues(schema: Schema, object: RegoObject): void {
  const constant = object.get("const");
  if (constant !== undefined && since(schema.draft, 6)) schema.constant = comparable(constant);
  const values = listAt(object, "enum")?.map(comparable);
  if (values !== undefined && new Set(values).size < values.length) {
    throw new BuiltinError("enum items must be unique");
  }
  schema.enumeration = values;
}

function fillCombinations(schema: Schema, object: RegoObject, sub: Sub): void {
  const contains = object.get("contains");
  if (contains !== undefined && since(schema.draft, 6)) schema.contains = sub(contains);
  schema.oneOf = (listAt(object, "oneOf") ?? []).map(sub);
  schema.anyOf = (listAt(object, "anyOf") ?? []).map(sub);
  schema.allOf = (listAt(object, "allOf") ?? []).map(sub);
  schema.not = schemaAt(object, "not", sub);
  if (!since(schema.draft, 7)) return;
  schema.if = schemaAt(object, "if", sub);
  schema.consequence = schemaAt(object, "then", sub);
  schema.alternative = schemaAt(object, "else", sub);
}

function schemaAt(object: RegoObject, key: string, sub: Sub): Schema | undefined {
  const value = object.get(key);
  if (value === undefined) return undefined;
  if (!isSchema(value)) throw new BuiltinError(`${key} must be of an object`);
  return sub(value);
}

/** The JSON of a value with its numbers as doubles, by which gojsonschema compares values. */
export function comparable(value: Value): string {
  return writeJson(asDoubles(value));
}

function asDoubles(value: Value): Value {
  if (isNumber(value)) {
    const double = Number(numberText(value));
    if (!Number.isFinite(double)) throw new BuiltinError("number is too large");
    return numberOf(Object.is(double, -0) ? "-0" : String(double));
  }
  if (isArray(value)) return value.map(asDoubles);
  if (!isObject(value)) return value;
  return new Map([...value].map(([key, member]) => [key, asDoubles(member)]));
}
