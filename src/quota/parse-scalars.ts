import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { type Fields, nameOf, wrongType } from "../documents/index.js";

const unitMs: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);
const window = /^(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+$/;
const windowPart = /([0-9.]+)(ms|s|m|h|d)/g;

/** 100 years of 365 days. */
const MAX_WINDOW_MS = 876_000 * 3_600_000;

/** A window in milliseconds, as durations elsewhere and with `d` for days of 24 hours. */
export function readWindow(owner: Fields, key: string, at: Path, out: Finding[]): number | undefined {
  const value = owner[key];
  const here: Path = [...at, key];
  if (value === undefined) return undefined;
  if (typeof value !== "string") {
    out.push(wrongType(value, here, "a duration such as `1m`"));
    return undefined;
  }
  if (value.length > 80 || !window.test(value)) {
    const message = `duration ${show(value)} cannot be read, expected for example \`1s\`, \`1m30s\` or \`7d\``;
    out.push(finding(codes.invalidValue, here, message));
    return undefined;
  }
  let total = 0;
  for (const [, digits, unit] of value.matchAll(windowPart)) {
    total += Number(digits) * (unitMs.get(unit ?? "") ?? 0);
  }
  // 1.1 s are 1100.0000000000002 ms in binary.
  const ms = Math.round(total);
  if (ms >= 1 && ms <= MAX_WINDOW_MS && Math.abs(ms - total) < 1e-3) return ms;
  const message = `duration ${show(value)} is out of range, expected whole milliseconds from 1ms to 876000h`;
  out.push(finding(codes.invalidValue, here, message));
  return undefined;
}

/** A whole number from `least` to `most`. */
export function readWhole(
  owner: Fields,
  key: string,
  [at, out]: readonly [Path, Finding[]],
  [least, most]: readonly [number, number],
): number | undefined {
  const value = owner[key];
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value)) {
    out.push(wrongType(value, [...at, key], "a whole number"));
    return undefined;
  }
  if (value >= least && value <= most) return value;
  const message = `${nameOf([...at, key])} is ${value}, expected ${least} to ${most}`;
  out.push(finding(codes.invalidValue, [...at, key], message));
  return undefined;
}

/** True or false; false when absent. */
export function readFlag(owner: Fields, key: string, at: Path, out: Finding[]): boolean {
  const value = owner[key];
  if (value === undefined || typeof value === "boolean") return value ?? false;
  out.push(wrongType(value, [...at, key], "true or false"));
  return false;
}

/** One of `names`, the first when absent. */
export function readEnum<Name extends string>(
  owner: Fields,
  key: string,
  [at, out]: readonly [Path, Finding[]],
  names: readonly [Name, ...Name[]],
): Name {
  const value = owner[key];
  if (value === undefined) return names[0];
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  const here: Path = [...at, key];
  const expected = `one of ${names.join(", ")}`;
  if (typeof value !== "string") out.push(wrongType(value, here, expected));
  else out.push(finding(codes.wrongEnum, here, `unknown ${key} ${show(value)}, expected ${expected}`));
  return names[0];
}
