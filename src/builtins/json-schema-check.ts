import { BuiltinError } from "./builtin.js";
import { exponentNotation, plainNotation } from "./decimal.js";
import { comparable } from "./json-schema-compile.js";
import { hasFormat } from "./json-schema-format.js";
import type { Numeric, Schema } from "./json-schema-model.js";
import { jsonValue, writeJson } from "./json-text.js";
import { LimitError } from "./limit.js";
import { compareNumbers, integerOf, numberText } from "./number.js";
import { isArray, isNumber, isObject, type RegoObject, type Value } from "./value.js";

/** Where a document does not match, as OPA tells policies. */
export interface Mismatch {
  readonly type: string;
  /** The path with dots, `(Root)` for the document itself. */
  readonly field: string;
  readonly description: string;
}

/** Comparisons of a part of a document with a schema: more are an attack, as are so many levels. */
const maxSteps = 30_000;
const maxDepth = 300;

interface Checking {
  steps: number;
  depth: number;
}

/** What was found, and how well the schema fits: of several that fail the best one's mismatches are told. */
class Result {
  readonly mismatches: Mismatch[] = [];
  score = 0;

  add(type: string, path: Path, description: string): void {
    this.mismatches.push({ type, field: fieldOf(path), description });
    this.score -= 2;
  }

  merge(other: Result): void {
    for (const mismatch of other.mismatches) this.mismatches.push(mismatch);
    this.score += other.score;
  }

  get valid(): boolean {
    return this.mismatches.length === 0;
  }
}

/** The way from the document's root, innermost name first. */
type Path = { readonly name: string; readonly above: Path } | undefined;

function fieldOf(path: Path): string {
  const names: string[] = [];
  for (let at = path; at !== undefined; at = at.above) names.unshift(at.name);
  return names.length === 0 ? "(Root)" : names.join(".");
}

/** All mismatches of a document, in gojsonschema's order (there, members of objects come in any order). */
export function checkDocument(schema: Schema, document: Value): readonly Mismatch[] {
  const result = new Result();
  check(schema, document, result, undefined, { steps: 0, depth: 0 });
  return result.mismatches;
}

function checked(schema: Schema, value: Value, path: Path, checking: Checking): Result {
  const result = new Result();
  check(schema, value, result, path, checking);
  return result;
}

function check(schema: Schema, value: Value, result: Result, path: Path, checking: Checking): void {
  if (++checking.steps > maxSteps || checking.depth > maxDepth) {
    throw new LimitError("document takes too long to check");
  }
  if (schema.pass !== undefined) {
    if (!schema.pass) result.add("false", path, "False always fails validation");
    return;
  }
  checking.depth++;
  if (schema.reference !== undefined) check(schema.reference, value, result, path, checking);
  else checkRules(schema, value, result, path, checking);
  checking.depth--;
}

function checkRules(schema: Schema, value: Value, result: Result, path: Path, checking: Checking): void {
  const given = typeNameOf(value);
  const { types } = schema;
  if (types.length > 0 && !types.includes(given) && !(given === "integer" && types.includes("number"))) {
    const expected = types.length > 1 ? `[${types.join(",")}]` : (types[0] ?? "");
    result.add("invalid_type", path, `Invalid type. Expected: ${expected}, given: ${given}`);
    return;
  }
  checkCombinations(schema, value, result, path, checking);
  if (isArray(value)) checkArray(schema, value, result, path, checking);
  if (isObject(value)) checkObject(schema, value, result, path, checking);
  if (isNumber(value)) checkNumber(schema, value, result, path, checking);
  checkValue(schema, value, result, path);
  if (typeof value === "string") checkText(schema, value, result, path, checking);
  if (isObject(value)) {
    for (const [name, property] of schema.properties) {
      const member = value.get(name);
      if (member !== undefined) check(property, member, result, { name, above: path }, checking);
    }
  }
  result.score++;
}

function typeNameOf(value: Value): string {
  if (value === null) return "null";
  if (isArray(value)) return "array";
  if (isObject(value)) return "object";
  if (isNumber(value)) return integerOf(value) === undefined ? "number" : "integer";
  return typeof value;
}

function checkCombinations(
  schema: Schema,
  value: Value,
  result: Result,
  path: Path,
  checking: Checking,
): void {
  const of = (other: Schema): Result => checked(other, value, path, checking);
  if (schema.anyOf.length > 0) {
    let best: Result | undefined;
    const valid = schema.anyOf.some((other) => {
      const found = of(other);
      if (!found.valid && (best === undefined || found.score > best.score)) best = found;
      return found.valid;
    });
    if (!valid) {
      result.add("number_any_of", path, "Must validate at least one schema (anyOf)");
      if (best !== undefined) result.merge(best);
    }
  }
  if (schema.oneOf.length > 0) {
    let [valid, best]: [number, Result | undefined] = [0, undefined];
    for (const other of schema.oneOf) {
      const found = of(other);
      if (found.valid) valid++;
      else if (valid === 0 && (best === undefined || found.score > best.score)) best = found;
    }
    if (valid !== 1) {
      result.add("number_one_of", path, "Must validate one and only one schema (oneOf)");
      if (valid === 0 && best !== undefined) result.merge(best);
    }
  }
  if (schema.allOf.length > 0) {
    const found = schema.allOf.map(of);
    for (const other of found) result.merge(other);
    if (!found.every(({ valid }) => valid)) {
      result.add("number_all_of", path, "Must validate all the schemas (allOf)");
    }
  }
  if (schema.not !== undefined && of(schema.not).valid) {
    result.add("number_not", path, "Must not validate the schema (not)");
  }
  if (isObject(value)) checkDependencies(schema, value, result, path, checking);
  if (schema.if !== undefined) {
    const holds = of(schema.if).valid;
    const branch = holds ? schema.consequence : schema.alternative;
    const found = branch === undefined ? undefined : of(branch);
    if (found !== undefined && !found.valid) {
      const [type, text] = holds
        ? ["condition_then", 'Must validate "then" as "if" was valid']
        : ["condition_else", 'Must validate "else" as "if" was not valid'];
      result.add(type, path, text);
      result.merge(found);
    }
  }
  result.score++;
}

function checkDependencies(
  schema: Schema,
  value: RegoObject,
  result: Result,
  path: Path,
  checking: Checking,
): void {
  for (const [name, dependency] of schema.dependencies) {
    if (!value.has(name)) continue;
    if (!Array.isArray(dependency)) {
      check(dependency as Schema, value, result, path, checking);
      continue;
    }
    for (const other of dependency as readonly string[]) {
      if (!value.has(other)) result.add("missing_dependency", path, `Has a dependency on ${other}`);
    }
  }
}

function checkValue(schema: Schema, value: Value, result: Result, path: Path): void {
  const { constant, enumeration, format } = schema;
  if (constant !== undefined && comparable(value) !== constant) {
    result.add("const", path, `${fieldOf(path)} does not match: ${constant}`);
  }
  if (enumeration !== undefined && !enumeration.includes(comparable(value))) {
    const allowed = enumeration.join(", ");
    result.add("enum", path, `${fieldOf(path)} must be one of the following: ${allowed}`);
  }
  if (format !== "" && typeof value === "string" && !hasFormat(format, value)) {
    result.add("format", path, `Does not match format '${format}'`);
  }
  result.score++;
}

function checkArray(
  schema: Schema,
  items: readonly Value[],
  result: Result,
  path: Path,
  checking: Checking,
): void {
  const at = (other: Schema, i: number): Result =>
    checked(other, items[i] ?? null, { name: String(i), above: path }, checking);
  const { items: rule } = schema;
  if (Array.isArray(rule)) {
    for (const [i, other] of rule.entries()) if (i < items.length) result.merge(at(other, i));
    if (rule.length > 0 && rule.length < items.length) {
      const { additionalItems } = schema;
      if (additionalItems === false) {
        result.add("array_no_additional_items", path, "No additional items allowed on array");
      } else if (additionalItems !== true) {
        for (let i = rule.length; i < items.length; i++) result.merge(at(additionalItems, i));
      }
    }
  } else if (rule !== undefined) {
    for (const i of items.keys()) result.merge(at(rule, i));
  }
  const { minItems, maxItems } = schema;
  if (minItems !== undefined && items.length < minItems) {
    result.add("array_min_items", path, `Array must have at least ${minItems} items`);
  }
  if (maxItems !== undefined && items.length > maxItems) {
    result.add("array_max_items", path, `Array must have at most ${maxItems} items`);
  }
  if (schema.uniqueItems) checkUnique(items, result, path);
  const { contains } = schema;
  if (contains !== undefined) {
    let best: Result | undefined;
    const found = items.some((_, i) => {
      const item = at(contains, i);
      if (!item.valid && (best === undefined || item.score > best.score)) best = item;
      return item.valid;
    });
    if (!found) {
      result.add("contains", path, "At least one of the items must match");
      if (best !== undefined) result.merge(best);
    }
  }
  result.score++;
}

function checkUnique(items: readonly Value[], result: Result, path: Path): void {
  const seen = new Map<string, number>();
  for (const [j, item] of items.entries()) {
    const text = comparable(item);
    const i = seen.get(text);
    if (i !== undefined) result.add("unique", path, `array items[${i},${j}] must be unique`);
    seen.set(text, j);
  }
}

function checkObject(
  schema: Schema,
  value: RegoObject,
  result: Result,
  path: Path,
  checking: Checking,
): void {
  const { minProperties, maxProperties } = schema;
  if (minProperties !== undefined && value.size < minProperties) {
    result.add("array_min_properties", path, `Must have at least ${minProperties} properties`);
  }
  if (maxProperties !== undefined && value.size > maxProperties) {
    result.add("array_max_properties", path, `Must have at most ${maxProperties} properties`);
  }
  for (const name of schema.required) {
    if (value.has(name)) result.score++;
    else result.add("required", path, `${name} is required`);
  }
  for (const [key, member] of value) checkMember(schema, String(key), member, result, path, checking);
  const { propertyNames } = schema;
  for (const key of propertyNames === undefined ? [] : value.keys()) {
    const found = checked(propertyNames as Schema, key, path, checking);
    if (found.valid) continue;
    result.add("invalid_property_name", path, `Property name of "${String(key)}" does not match`);
    result.merge(found);
  }
  result.score++;
}

/** By `patternProperties`, and by `additionalProperties` when nothing describes the member. */
function checkMember(
  schema: Schema,
  name: string,
  member: Value,
  result: Result,
  path: Path,
  checking: Checking,
): void {
  const inside = { name, above: path };
  let matched = false;
  for (const { pattern, schema: other } of schema.patternProperties) {
    checking.steps++;
    if (!pattern.matcher(name).find()) continue;
    matched = true;
    result.merge(checked(other, member, inside, checking));
  }
  if (matched) result.score++;
  const { additionalProperties } = schema;
  if (matched || additionalProperties === true || schema.properties.has(name)) return;
  if (additionalProperties === false) {
    result.add("additional_property_not_allowed", path, `Additional property ${name} is not allowed`);
  } else {
    result.merge(checked(additionalProperties, member, inside, checking));
  }
}

function checkText(schema: Schema, text: string, result: Result, path: Path, checking: Checking): void {
  checking.steps += text.length >> 6;
  const { minLength, maxLength, pattern } = schema;
  const length = text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
  if (minLength !== undefined && length < minLength) {
    result.add("string_gte", path, `String length must be greater than or equal to ${minLength}`);
  }
  if (maxLength !== undefined && length > maxLength) {
    result.add("string_lte", path, `String length must be less than or equal to ${maxLength}`);
  }
  if (pattern !== undefined && !pattern.regex.matcher(text).find()) {
    result.add("pattern", path, `Does not match pattern '${pattern.text}'`);
  }
  result.score++;
}

function checkNumber(schema: Schema, number: Numeric, result: Result, path: Path, checking: Checking): void {
  // Division of long numbers takes time that grows with the square of their digits.
  if (typeof number !== "number") checking.steps += (number.exact.length ** 2) >> 14;
  const { multipleOf, maximum, exclusiveMaximum, minimum, exclusiveMinimum } = schema;
  if (multipleOf !== undefined && !isMultiple(number, multipleOf)) {
    result.add("multiple_of", path, `Must be a multiple of ${shownNumber(multipleOf)}`);
  }
  if (maximum !== undefined && compareNumbers(number, maximum) > 0) {
    result.add("number_lte", path, `Must be less than or equal to ${shownNumber(maximum)}`);
  }
  if (exclusiveMaximum !== undefined && compareNumbers(number, exclusiveMaximum) >= 0) {
    result.add("number_lt", path, `Must be less than ${shownNumber(exclusiveMaximum)}`);
  }
  if (minimum !== undefined && compareNumbers(number, minimum) < 0) {
    result.add("number_gte", path, `Must be greater than or equal to ${shownNumber(minimum)}`);
  }
  if (exclusiveMinimum !== undefined && compareNumbers(number, exclusiveMinimum) <= 0) {
    result.add("number_gt", path, `Must be greater than ${shownNumber(exclusiveMinimum)}`);
  }
  result.score++;
}

/** mantissa × 10^exponent */
function decimalOf(value: Numeric): { readonly mantissa: bigint; readonly exponent: number } {
  const [, sign = "", whole = "0", fraction = "", power = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(numberText(value)) ?? [];
  return { mantissa: BigInt(sign + whole + fraction), exponent: Number(power) - fraction.length };
}

function isMultiple(value: Numeric, of: Numeric): boolean {
  const [a, b] = [decimalOf(value), decimalOf(of)];
  const shift = a.exponent - b.exponent;
  if (Math.abs(shift) > 1_000) throw new BuiltinError("number is too large");
  const [left, right] = [
    a.mantissa * 10n ** BigInt(Math.max(shift, 0)),
    b.mantissa * 10n ** BigInt(Math.max(-shift, 0)),
  ];
  return left % right === 0n;
}

/** Go's `%g` of a big.Float. */
function shownNumber(value: Numeric): string {
  const { mantissa, exponent } = decimalOf(value);
  const text = (mantissa < 0n ? -mantissa : mantissa).toString();
  const digits = { digits: text.replace(/(?<=[1-9])0+$|^0$/, ""), exponent: text.length + exponent };
  const sign = mantissa < 0n ? "-" : "";
  const power = digits.digits === "" ? 0 : digits.exponent - 1;
  const count = digits.digits.length;
  if (power < -4 || power >= 6) return sign + exponentNotation(digits, count - 1);
  return sign + plainNotation(digits, Math.max(count - digits.exponent, 0));
}

/** A document or a schema: a JSON text, or an object or array as JSON has it. */
export function documentOf(value: Value): Value | undefined {
  return isObject(value) || isArray(value) ? jsonValue(value) : undefined;
}

/** The key under which what was made of a document is remembered. */
export function documentKey(value: Value): string {
  return typeof value === "string" ? `"${value}` : writeJson(value);
}
