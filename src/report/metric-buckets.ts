import { codes, type Finding, finding, type Path } from "../diagnostics/index.js";
import { asFields, type Fields, nameOf, wrongType } from "../documents/index.js";

/** Each is a series of its own in every combination of labels. */
const MAX_BUCKETS = 100;

/** Those of Istio's own histograms of milliseconds. */
const ordinary: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

const forms: ReadonlySet<string> = new Set(["linear", "exponential"]);
const linearFields: ReadonlySet<string> = new Set(["start", "width", "count"]);
const exponentialFields: ReadonlySet<string> = new Set(["start", "factor", "count"]);

/** Reads `buckets`: a list of upper bounds, or how to make one; those of Istio's durations when absent. */
export function readBuckets(spec: Fields, at: Path, out: Finding[]): readonly number[] {
  const given = spec["buckets"];
  const here: Path = [...at, "buckets"];
  if (given === undefined) return ordinary;
  const bounds = Array.isArray(given) ? readBounds(given, here, out) : readForm(given, here, out);
  if (bounds === undefined) return [];
  if (bounds.length === 0 || bounds.length > MAX_BUCKETS) {
    const message = `\`buckets\` has ${bounds.length} bounds, expected 1 to ${MAX_BUCKETS}`;
    out.push(finding(codes.tooMany, here, message));
  }
  const wrong = bounds.findIndex((bound, i) => i > 0 && !(bound > (bounds[i - 1] ?? bound)));
  if (wrong >= 0) {
    const message = `bound ${bounds[wrong]} follows ${bounds[wrong - 1]}, expected increasing bounds`;
    out.push(finding(codes.invalidValue, Array.isArray(given) ? [...here, wrong] : here, message));
  }
  return bounds;
}

function readBounds(given: readonly unknown[], at: Path, out: Finding[]): readonly number[] | undefined {
  const wrong = given.findIndex((bound) => typeof bound !== "number" || !Number.isFinite(bound));
  if (wrong < 0) return given as readonly number[];
  out.push(wrongType(given[wrong], [...at, wrong], "a number"));
  return undefined;
}

function readForm(given: unknown, at: Path, out: Finding[]): readonly number[] | undefined {
  const form = asFields(given, at, out, forms);
  if (form === undefined) return undefined;
  const names = Object.keys(form).filter((name) => forms.has(name));
  if (names.length !== 1) {
    const message = "`buckets` expects a list of numbers, or one of `linear` and `exponential`";
    out.push(finding(codes.invalidValue, at, message));
    return undefined;
  }
  const isLinear = names[0] === "linear";
  const here: Path = [...at, isLinear ? "linear" : "exponential"];
  const fields = asFields(
    form[isLinear ? "linear" : "exponential"],
    here,
    out,
    isLinear ? linearFields : exponentialFields,
  );
  if (fields === undefined) return undefined;
  const start = readNumber(fields, "start", here, out);
  const step = readNumber(fields, isLinear ? "width" : "factor", here, out);
  const count = readNumber(fields, "count", here, out);
  if (start === undefined || step === undefined || count === undefined) return undefined;
  if (!Number.isInteger(count) || count < 1 || count > MAX_BUCKETS) {
    const message = `\`count\` is ${count}, expected 1 to ${MAX_BUCKETS}`;
    out.push(finding(codes.invalidValue, [...here, "count"], message));
    return undefined;
  }
  return Array.from({ length: count }, (_, i) => rounded(isLinear ? start + i * step : start * step ** i));
}

function readNumber(fields: Fields, name: string, at: Path, out: Finding[]): number | undefined {
  const value = fields[name];
  if (typeof value === "number" && Number.isFinite(value)) return value;
  out.push(wrongType(value, [...at, name], `${nameOf([name])} as a number`));
  return undefined;
}

/** 0.1 * 3 is 0.30000000000000004 in binary. */
function rounded(bound: number): number {
  return Number(bound.toPrecision(12));
}
