import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { type Fields, nameOf, readText } from "../documents/index.js";

/** Go's time.ParseDuration: signed sums of decimals, each with a unit; only `0` goes without. */
const duration = /^[-+]?(?:0|(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const part = /([0-9.]+)(ns|us|µs|μs|ms|s|m|h)/g;

const unitMs: ReadonlyMap<string, number> = new Map([
  ["ns", 1e-6],
  ["us", 1e-3],
  ["µs", 1e-3],
  ["μs", 1e-3],
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

/** Above this Go's int64 of nanoseconds overflows. */
const mostGoMs = 2 ** 63 / 1e6;
/** Longest delay that a Node timer can wait; nobody waits longer anyway. */
const mostTimerMs = 2 ** 31 - 1;

/**
 * A duration as Istio's kinds spell it, in whole milliseconds, rounded up and cut to what a timer can wait;
 * at least `1ms`.
 */
export function readDurationMs(owner: Fields, key: string, at: Path, out: Finding[]): number | undefined {
  const text = readText(owner, key, at, out);
  if (text === undefined) return undefined;
  const ms = duration.test(text) && !text.startsWith("-") ? sum(text) : 0;
  if (ms >= 1 && ms < mostGoMs) return Math.min(Math.ceil(ms), mostTimerMs);
  const message = `${nameOf([...at, key])} is ${show(text)}, expected a duration of at least 1ms, e.g. \`5s\``;
  out.push(finding(codes.invalidValue, [...at, key], message));
  return undefined;
}

/** Of a text that is a duration; the sign is not looked at. */
function sum(text: string): number {
  let total = 0;
  for (const [, digits, unit] of text.matchAll(part)) total += Number(digits) * (unitMs.get(unit ?? "") ?? 0);
  return total;
}
