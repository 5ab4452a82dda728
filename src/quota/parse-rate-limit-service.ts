import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { asFields, type Fields, readFields, readList, readText, wrongType } from "../documents/index.js";
import type { Dimension, RateLimitMapping } from "./quota.js";

const mappingFields: ReadonlySet<string> = new Set(["domain", "descriptor"]);
const entryFields: ReadonlySet<string> = new Set(["key", "dimension"]);

type Entry = RateLimitMapping["descriptor"][number];

/**
 * Reads `rateLimitService`: an entry is a dimension that is its own key, or `{key, dimension}`. Each dimension must
 * stand in it once, since a call has nothing else to tell it by. `dimensions` is undefined where they could not be
 * read.
 */
export function readRateLimitService(
  spec: Fields,
  dimensions: readonly Dimension[] | undefined,
  at: Path,
  out: Finding[],
): RateLimitMapping | undefined {
  const here: Path = [...at, "rateLimitService"];
  const mapping = readFields(spec, "rateLimitService", at, out, mappingFields);
  if (mapping === undefined) return undefined;
  const domain = readText(mapping, "domain", here, out);
  if (mapping["domain"] === undefined) out.push(wrongType(undefined, [...here, "domain"], "a string"));
  if (domain === "") {
    out.push(
      finding(codes.emptyValue, [...here, "domain"], "`domain` is empty, expected the domain of calls"),
    );
  }
  const list = readList(mapping, "descriptor", here, out);
  const descriptorAt: Path = [...here, "descriptor"];
  if (mapping["descriptor"] === undefined)
    out.push(wrongType(undefined, descriptorAt, "a list of dimensions"));
  if (list?.length === 0) {
    const message =
      "`descriptor` is empty, expected an entry for each dimension, of which there is at least one";
    out.push(finding(codes.emptyValue, descriptorAt, message));
  }
  const entries = (list ?? []).map((item, i) => readEntry(item, [...descriptorAt, i], out));
  const descriptor = entries.filter((entry) => entry !== undefined);
  if (dimensions !== undefined && descriptor.length === list?.length) {
    checkDimensions(descriptor, dimensions, descriptorAt, out);
  }
  return { domain: domain ?? "", descriptor };
}

function readEntry(item: unknown, at: Path, out: Finding[]): Entry | undefined {
  if (typeof item === "string") return [item, item];
  const entry = asFields(item, at, out, entryFields);
  if (entry === undefined) return undefined;
  const key = readText(entry, "key", at, out);
  const dimension = readText(entry, "dimension", at, out);
  for (const name of entryFields) {
    if (entry[name] === undefined) out.push(wrongType(undefined, [...at, name], "a string"));
  }
  if (key === "")
    out.push(finding(codes.emptyValue, [...at, "key"], "`key` is empty, expected an entry's key"));
  return key === undefined || dimension === undefined ? undefined : [key, dimension];
}

function checkDimensions(
  descriptor: readonly Entry[],
  dimensions: readonly Dimension[],
  at: Path,
  out: Finding[],
): void {
  const names = dimensions.map(({ name }) => name);
  const seen = new Set<string>();
  descriptor.forEach(([, dimension], i) => {
    if (!names.includes(dimension)) {
      const expected = names.map((name) => show(name)).join(", ") || "none";
      const message = `unknown dimension ${show(dimension)}, expected one of ${expected}`;
      out.push(finding(codes.invalidValue, [...at, i], message));
    } else if (seen.has(dimension)) {
      const message = `dimension ${show(dimension)} is given twice, expected each dimension once`;
      out.push(finding(codes.conflictingFields, [...at, i], message));
    }
    seen.add(dimension);
  });
  const missing = names.find((name) => !seen.has(name));
  if (missing === undefined || descriptor.length === 0) return;
  const message = `dimension ${show(missing)} is missing, expected an entry for each dimension`;
  out.push(finding(codes.missingField, at, message));
}
