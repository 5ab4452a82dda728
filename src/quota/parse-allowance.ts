import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { type Fields, wrongType } from "../documents/index.js";
import { MAX_UNITS } from "./charges.js";
import { readWhole, readWindow } from "./parse-scalars.js";
import type { Algorithm, Allowance } from "./store.js";

const algorithms: readonly Algorithm[] = ["fixedWindow", "slidingWindow", "tokenBucket", "concurrency"];

/** Reads `limit`, `window`, `algorithm` and `burst` of a spec; undefined when one of them is wrong. */
export function readAllowance(spec: Fields, at: Path, out: Finding[]): Allowance | undefined {
  for (const key of ["limit", "window"]) {
    const expected = key === "limit" ? "a whole number" : "a duration such as `1m`";
    if (spec[key] === undefined) out.push(wrongType(undefined, [...at, key], expected));
  }
  const algorithm = readAlgorithm(spec, at, out);
  const given = readUnits(spec, algorithm, at, out);
  const { limit, windowMs } = given;
  if (limit === 0) {
    const message = "`limit` is 0, so every request that is counted is refused";
    out.push(finding(codes.quotaWithoutRoom, [...at, "limit"], message));
  }
  if (limit === undefined || windowMs === undefined || algorithm === undefined) return undefined;
  return { algorithm, limit, windowMs, burst: limit === 0 ? 0 : (given.burst ?? limit) };
}

/** What an override begins with. */
export interface OwnAllowance {
  readonly allowance: Allowance;
  /** The quota names a burst, so that it holds for overrides without one. */
  readonly namesBurst: boolean;
}

/**
 * Reads `limit`, `window` and `burst` of an override: what it does not say is the quota's own. A `burst` that the
 * quota does not name either is the override's limit. `own` is undefined where it could not be read.
 */
export function readOtherAllowance(
  override: Fields,
  own: OwnAllowance | undefined,
  at: Path,
  out: Finding[],
): Allowance | undefined {
  const given = readUnits(override, own?.allowance.algorithm, at, out);
  if (own === undefined) return undefined;
  const { algorithm, windowMs } = own.allowance;
  const limit = given.limit ?? own.allowance.limit;
  const burst = given.burst ?? (own.namesBurst ? own.allowance.burst : limit);
  return { algorithm, limit, windowMs: given.windowMs ?? windowMs, burst: limit === 0 ? 0 : burst };
}

interface Units {
  readonly limit: number | undefined;
  readonly windowMs: number | undefined;
  readonly burst: number | undefined;
}

function readUnits(owner: Fields, algorithm: Algorithm | undefined, at: Path, out: Finding[]): Units {
  const limit = readWhole(owner, "limit", [at, out], [0, MAX_UNITS]);
  const windowMs = readWindow(owner, "window", at, out);
  const burst = readWhole(owner, "burst", [at, out], [1, MAX_UNITS]);
  if (owner["burst"] !== undefined && algorithm !== undefined && algorithm !== "tokenBucket") {
    const message = `\`burst\` stands beside algorithm \`${algorithm}\`, expected it with tokenBucket only`;
    out.push(finding(codes.conflictingFields, [...at, "burst"], message));
  }
  return { limit, windowMs, burst };
}

/** Case, `_` and `-` are not minded: `FIXED_WINDOW` is `fixedWindow`. */
function readAlgorithm(spec: Fields, at: Path, out: Finding[]): Algorithm | undefined {
  const value = spec["algorithm"];
  const here: Path = [...at, "algorithm"];
  if (value === undefined) return "fixedWindow";
  const expected = `expected one of ${algorithms.join(", ")}`;
  if (typeof value !== "string") {
    out.push(wrongType(value, here, `one of ${algorithms.join(", ")}`));
    return undefined;
  }
  const plain = (name: string): string => name.replace(/[_-]/g, "").toLowerCase();
  const found = algorithms.find((name) => plain(name) === plain(value));
  if (found === undefined) {
    out.push(finding(codes.wrongEnum, here, `unknown algorithm ${show(value)}, ${expected}`));
  }
  return found;
}
