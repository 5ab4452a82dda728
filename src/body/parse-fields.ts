import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { type Fields, nameOf, wrongType } from "../documents/index.js";

/** Where a field stands, and where findings go. */
export interface Place {
  readonly at: Path;
  readonly out: Finding[];
}

/** One level further in. */
export function below({ at, out }: Place, ...parts: readonly (string | number)[]): Place {
  return { at: [...at, ...parts], out };
}

/** One of `names`; undefined when it is absent, or is none of them. */
export function readEnum<Name extends string>(
  owner: Fields,
  key: string,
  { at, out }: Place,
  names: readonly Name[],
): Name | undefined {
  const value = owner[key];
  if (value === undefined) return undefined;
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  const here: Path = [...at, key];
  const expected = `one of ${names.join(", ")}`;
  if (typeof value !== "string") out.push(wrongType(value, here, expected));
  else out.push(finding(codes.wrongEnum, here, `unknown ${key} ${show(value)}, expected ${expected}`));
  return undefined;
}

/** True or false; false when absent. */
export function readFlag(owner: Fields, key: string, { at, out }: Place): boolean {
  const value = owner[key];
  if (value === undefined || typeof value === "boolean") return value ?? false;
  out.push(wrongType(value, [...at, key], "true or false"));
  return false;
}

/** A whole number from `least` to `most`; undefined when it is absent or none. */
export function readWhole(
  owner: Fields,
  key: string,
  { at, out }: Place,
  [least, most]: readonly [number, number],
): number | undefined {
  const value = owner[key];
  if (value === undefined) return undefined;
  const here: Path = [...at, key];
  if (typeof value !== "number" || !Number.isInteger(value)) {
    out.push(wrongType(value, here, `a whole number from ${least} to ${most}`));
    return undefined;
  }
  if (value >= least && value <= most) return value;
  out.push(finding(codes.invalidValue, here, `${nameOf(here)} is ${value}, expected ${least} to ${most}`));
  return undefined;
}

const unitBytes: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["B", 1],
  ["k", 1000],
  ["Ki", 1024],
  ["KiB", 1024],
  ["M", 1_000_000],
  ["Mi", 1024 * 1024],
  ["MiB", 1024 * 1024],
]);
const quantity = /^(\d{1,12})(B|k|Ki|KiB|M|Mi|MiB)?$/;

/** Bytes as a number or as `64KiB`, `1MiB`, `500k`; from 1 to `most`. */
export function readBytes(owner: Fields, key: string, { at, out }: Place, most: number): number | undefined {
  const value = owner[key];
  if (value === undefined) return undefined;
  const here: Path = [...at, key];
  if (typeof value !== "number" && typeof value !== "string") {
    out.push(wrongType(value, here, "bytes such as `65536` or `64KiB`"));
    return undefined;
  }
  const [, digits, unit = ""] = quantity.exec(String(value)) ?? [];
  const bytes = Number(digits) * (unitBytes.get(unit) ?? 1);
  if (bytes >= 1 && bytes <= most) return bytes;
  const message = `${nameOf(here)} is ${show(String(value))}, expected 1 to ${most} bytes, for example \`64KiB\``;
  out.push(finding(codes.invalidValue, here, message));
  return undefined;
}
