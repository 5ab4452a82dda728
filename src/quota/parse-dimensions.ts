import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { asFields, type Fields, readText, wrongType } from "../documents/index.js";
import { readExpression } from "../expressions/index.js";
import type { Dimension } from "./quota.js";

/** More are hardly meant, and each is evaluated for each request. */
const MAX_DIMENSIONS = 16;

const dimensionFields: ReadonlySet<string> = new Set(["name", "value"]);

/**
 * Reads `dimensions`: a list of expressions, each its own name unless it is `{name, value}`, or a mapping of names to
 * expressions. Those that are wrong are left out, each with a finding; undefined when none can be told.
 */
export function readDimensions(spec: Fields, at: Path, out: Finding[]): readonly Dimension[] | undefined {
  const given = spec["dimensions"];
  const here: Path = [...at, "dimensions"];
  if (given === undefined) return [];
  const read = Array.isArray(given) ? readList(given, here, out) : readMapping(given, here, out);
  if (read !== undefined && read.length > MAX_DIMENSIONS) {
    const message = `\`dimensions\` has ${read.length} items, expected at most ${MAX_DIMENSIONS}`;
    out.push(finding(codes.tooMany, here, message));
  }
  return read;
}

function readMapping(given: unknown, at: Path, out: Finding[]): readonly Dimension[] | undefined {
  if (typeof given !== "object" || given === null) {
    out.push(wrongType(given, at, "a list, or a mapping of names to CEL expressions"));
    return undefined;
  }
  return Object.entries(given).flatMap(([name, value]) => {
    if (name === "") out.push(finding(codes.emptyValue, at, "name of a dimension is empty"));
    const text = readExpression(value, { type: "scalar", at: [...at, name] }, out);
    return text === undefined ? [] : [{ name, value: text }];
  });
}

function readList(given: readonly unknown[], at: Path, out: Finding[]): readonly Dimension[] {
  const names = new Set<string>();
  return given.flatMap((item, i) => {
    const here: Path = [...at, i];
    const dimension = typeof item === "string" ? readPlain(item, here, out) : readNamed(item, here, out);
    if (dimension === undefined) return [];
    if (names.has(dimension.name)) {
      const message = `dimension ${show(dimension.name)} is given twice, expected each name once`;
      out.push(finding(codes.conflictingFields, here, message));
    }
    names.add(dimension.name);
    return [dimension];
  });
}

function readPlain(text: string, at: Path, out: Finding[]): Dimension | undefined {
  const value = readExpression(text, { type: "scalar", at }, out);
  return value === undefined ? undefined : { name: value.trim(), value };
}

function readNamed(item: unknown, at: Path, out: Finding[]): Dimension | undefined {
  const fields = asFields(item, at, out, dimensionFields);
  if (fields === undefined) return undefined;
  const name = readText(fields, "name", at, out);
  if (fields["name"] === undefined) out.push(wrongType(undefined, [...at, "name"], "a string"));
  if (name === "") out.push(finding(codes.emptyValue, [...at, "name"], "name of a dimension is empty"));
  const value = readExpression(fields["value"], { type: "scalar", at: [...at, "value"] }, out);
  return name === undefined || value === undefined ? undefined : { name, value };
}
