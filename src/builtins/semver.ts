import { stringAt } from "./arguments.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { maxInt64 } from "./go-integer.js";
import { LimitError } from "./limit.js";

/** Semantic versions (v1/topdown/semver.go); a `v` in front counts for nothing. */
export const semver: Builtins = {
  "semver.compare": (args) => compare(versionOf(stringAt(args, 0)), versionOf(stringAt(args, 1))),
  "semver.is_valid": ([value = null]) => typeof value === "string" && parse(value) !== undefined,
};

interface Version {
  readonly core: readonly bigint[];
  /** Dot-separated, empty without one. */
  readonly preRelease: string;
}

function versionOf(text: string): Version {
  const version = parse(text);
  if (version === undefined) throw new BuiltinError("string is not a valid SemVer");
  return version;
}

const identifiers = /^[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*$/;

/** Characters that a version may have. */
const maxLength = 10_000;

function parse(text: string): Version | undefined {
  if (text.length > maxLength) throw new LimitError(`version of more than ${maxLength} characters`);
  const [version, metadata] = cut(text.startsWith("v") ? text.slice(1) : text, "+");
  if (metadata !== undefined && !identifiers.test(metadata)) return undefined;
  const [numbers, preRelease] = cut(version, "-");
  if (preRelease !== undefined && !isPreRelease(preRelease)) return undefined;
  const parts = numbers.split(".");
  if (parts.length !== 3 || !parts.every((part) => /^(?:0|[1-9]\d{0,18})$/.test(part))) return undefined;
  const core = parts.map(BigInt);
  return core.every((part) => part <= maxInt64) ? { core, preRelease: preRelease ?? "" } : undefined;
}

function cut(text: string, mark: string): readonly [string, string | undefined] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function isPreRelease(text: string): boolean {
  return identifiers.test(text) && text.split(".").every((part) => !/^0\d+$/.test(part));
}

function compare(a: Version, b: Version): number {
  for (const [i, part] of a.core.entries()) {
    const other = b.core[i] ?? 0n;
    if (part !== other) return part < other ? -1 : 1;
  }
  if (a.preRelease === b.preRelease) return 0;
  if (a.preRelease === "") return 1;
  if (b.preRelease === "") return -1;
  const others = b.preRelease.split(".");
  for (const [i, part] of a.preRelease.split(".").entries()) {
    const other = others[i];
    if (other === undefined) return 1;
    const order = compareIdentifiers(part, other);
    if (order !== 0) return order;
  }
  return -1;
}

/** Numbers come before names; those that need more than 64 bits are all equal, as in OPA. */
function compareIdentifiers(a: string, b: string): number {
  const [isNumber, otherIsNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumber !== otherIsNumber) return isNumber ? -1 : 1;
  const [x, y] = isNumber ? [clamped(a), clamped(b)] : [a, b];
  return x === y ? 0 : x < y ? -1 : 1;
}

function clamped(digits: string): bigint {
  const value = digits.length > 20 ? maxInt64 : BigInt(digits);
  return value > maxInt64 ? maxInt64 : value;
}
