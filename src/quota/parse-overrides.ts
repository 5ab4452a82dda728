import { codes, type Finding, finding, hasErrors, type Path, show } from "../diagnostics/index.js";
import { asFields, type Fields, readFields, readList, wrongType } from "../documents/index.js";
import { type OwnAllowance, readOtherAllowance } from "./parse-allowance.js";
import { readFlag } from "./parse-scalars.js";
import type { Dimension, Override } from "./quota.js";

const overrideFields: ReadonlySet<string> = new Set(["dimensions", "limit", "window", "burst", "unlimited"]);
const allowanceFields = ["limit", "window", "burst"] as const;

/** What overrides are read against; undefined where it could not be read. */
export interface Overridden {
  readonly own: OwnAllowance | undefined;
  readonly dimensions: readonly Dimension[] | undefined;
}

/** Reads `overrides`; those that are wrong are left out, each with a finding. */
export function readOverrides(
  spec: Fields,
  overridden: Overridden,
  at: Path,
  out: Finding[],
): readonly Override[] {
  const list = readList(spec, "overrides", at, out) ?? [];
  const here: Path = [...at, "overrides"];
  const read = list.map((item, i) => {
    const found: Finding[] = [];
    const override = readOverride(item, overridden, [...here, i], found);
    out.push(...found);
    return hasErrors(found) ? undefined : override;
  });
  findUseless(read, here, out);
  return read.filter((override) => override !== undefined);
}

function readOverride(
  value: unknown,
  { own, dimensions }: Overridden,
  at: Path,
  out: Finding[],
): Override | undefined {
  const override = asFields(value, at, out, overrideFields);
  if (override === undefined) return undefined;
  const patterns = readPatterns(override, dimensions, at, out);
  const given = allowanceFields.find((key) => override[key] !== undefined);
  if (readFlag(override, "unlimited", at, out)) {
    if (given !== undefined) {
      const message = `\`${given}\` stands beside \`unlimited\`, expected only one of them`;
      out.push(finding(codes.conflictingFields, [...at, given], message));
    }
    return { dimensions: patterns, allowance: undefined };
  }
  if (given === undefined) {
    const message = "override says no allowance, expected `limit`, `window`, `burst` or `unlimited: true`";
    out.push(finding(codes.missingField, at, message));
  }
  const allowance = readOtherAllowance(override, own, at, out);
  return allowance === undefined ? undefined : { dimensions: patterns, allowance };
}

function readPatterns(
  override: Fields,
  dimensions: readonly Dimension[] | undefined,
  at: Path,
  out: Finding[],
): Override["dimensions"] {
  const here: Path = [...at, "dimensions"];
  const fields = readFields(override, "dimensions", at, out);
  if (override["dimensions"] === undefined) {
    out.push(wrongType(undefined, here, "a mapping of dimensions to values"));
  }
  return Object.entries(fields ?? {}).flatMap(([name, pattern]): Override["dimensions"] => {
    const found = checkPattern(name, pattern, dimensions, [...here, name]);
    if (found !== undefined) out.push(found);
    return typeof pattern === "string" ? [[name, pattern]] : [];
  });
}

function checkPattern(
  name: string,
  pattern: unknown,
  dimensions: readonly Dimension[] | undefined,
  at: Path,
): Finding | undefined {
  if (dimensions !== undefined && !dimensions.some((dimension) => dimension.name === name)) {
    const names = dimensions.map((dimension) => show(dimension.name)).join(", ") || "none";
    return finding(codes.invalidValue, at, `unknown dimension ${show(name)}, expected one of ${names}`);
  }
  if (typeof pattern !== "string")
    return wrongType(pattern, at, "a string, or one that begins or ends with `*`");
  const stars = pattern.split("*").length - 1;
  if (stars === 0 || (stars === 1 && (pattern.startsWith("*") || pattern.endsWith("*")))) return undefined;
  const message = `pattern ${show(pattern)} has a star within, expected \`value\`, \`prefix*\`, \`*suffix\` or \`*\``;
  return finding(codes.invalidValue, at, message);
}

/** Overrides behind one that matches everything, or the same; and such a one itself, which leaves nothing to the quota. */
function findUseless(overrides: readonly (Override | undefined)[], at: Path, out: Finding[]): void {
  const before = new Map<string, number>();
  let all: number | undefined;
  overrides.forEach((override, i) => {
    if (override === undefined) return;
    const patterns = override.dimensions.filter(([, pattern]) => pattern !== "*");
    const same = JSON.stringify([...patterns].sort(([a], [b]) => (a < b ? -1 : 1)));
    const first = all ?? before.get(same);
    if (first !== undefined) {
      const message = `override is never asked: override ${first} matches all that it does`;
      out.push(finding(codes.overrideWithoutEffect, [...at, i], message));
    } else if (patterns.length === 0) {
      all = i;
      const message = "override matches everything, so the quota's own limit is never used";
      out.push(finding(codes.overrideWithoutEffect, [...at, i], message));
    }
    if (!before.has(same)) before.set(same, i);
  });
}
