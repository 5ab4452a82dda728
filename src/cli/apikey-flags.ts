import { GatehouseError } from "../diagnostics/index.js";
import { parseTimeMs } from "../documents/index.js";

const period = /^([1-9]\d{0,4})([mhdwy])$/;
const unitMs: ReadonlyMap<string, number> = new Map([
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
  ["w", 604_800_000],
  ["y", 31_536_000_000],
]);
const day = /^\d{4}-\d{2}-\d{2}$/;

/**
 * Reads `90d` (from now on), `2027-01-31` (the key is good until that day begins, UTC) or an RFC 3339 time; gives an
 * RFC 3339 time. Throws `bad_flag`.
 */
export function readExpiry(text: string, nowMs: number): string {
  const match = period.exec(text);
  const ms =
    match === null
      ? parseTimeMs(day.test(text) ? `${text}T00:00:00Z` : text)
      : nowMs + Number(match[1]) * (unitMs.get(match[2] ?? "") ?? 0);
  if (ms === undefined) {
    throw new GatehouseError(
      "bad_flag",
      `bad expiry \`${text}\`, expected a period like 90d or 12h, a day like 2027-01-31, or an RFC 3339 time`,
    );
  }
  if (ms <= nowMs)
    throw new GatehouseError("bad_flag", `expiry \`${text}\` is over, expected a time to come`);
  // Years of more than four digits are no RFC 3339.
  const written = new Date(Math.min(ms, Date.UTC(9999, 11, 31))).toISOString();
  return written.replace(/\.\d{3}Z$/, "Z");
}

/** Reads `KEY=VALUE` pairs. Throws `bad_flag`. */
export function readLabels(pairs: readonly string[]): Readonly<Record<string, string>> {
  const labels = new Map<string, string>();
  for (const pair of pairs) {
    const equal = pair.indexOf("=");
    if (equal < 1) throw new GatehouseError("bad_flag", `bad label \`${pair}\`, expected KEY=VALUE`);
    const label = pair.slice(0, equal);
    if (labels.has(label)) throw new GatehouseError("bad_flag", `label \`${label}\` is given twice`);
    labels.set(label, pair.slice(equal + 1));
  }
  return Object.fromEntries(labels);
}
