import { BuiltinError } from "./builtin.js";
import { floatText } from "./go-float.js";
import { maxInt64 } from "./go-integer.js";
import { LimitError } from "./limit.js";

const units: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1000n],
  ["\u00b5s", 1000n],
  ["\u03bcs", 1000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
]);

const hours: ReadonlyMap<string, number> = new Map([
  ["d", 24],
  ["w", 168],
  ["y", 8760],
]);

/** Characters that a duration may have. */
const maxLength = 10_000;

/**
 * Nanoseconds of `1h30m`, or `1d2h` with OPA's days, weeks and years; throws a BuiltinError for other texts.
 */
export function durationOf(text: string): bigint {
  if (text.length > maxLength) throw new LimitError(`duration of more than ${maxLength} characters`);
  return goDuration(/[dwy]/.test(text) ? inHours(text) : text);
}

const extended = /^[-+]?(?:[0-9.]+(?:ms|us|\u00b5s|ns|[a-z]))+$/;

/** Days, weeks and years written as hours. */
function inHours(text: string): string {
  if (!extended.test(text)) throw invalid();
  return text.replace(/([0-9.]+)([dwy])/g, (_, digits: string, unit: string) => {
    const value = /^(?:\d+\.?\d*|\.\d+)$/.test(digits) ? Number(digits) : Number.POSITIVE_INFINITY;
    const count = value * (hours.get(unit) ?? 0);
    if (!Number.isFinite(count)) throw invalid();
    return `${floatText(count, "f", -1)}h`;
  });
}

function invalid(): BuiltinError {
  return new BuiltinError("time: invalid duration");
}

const limit = 1n << 63n;

/** Go's time.ParseDuration. */
function goDuration(text: string): bigint {
  const [, sign, body = ""] = /^([-+]?)(.*)$/s.exec(text) ?? [];
  if (body === "0") return 0n;
  if (body === "") throw invalid();
  const part = /(\d*)(?:\.(\d*))?([^.0-9]+)/y;
  let total = 0n;
  while (part.lastIndex < body.length) {
    const [, whole = "", fraction = "", name = ""] = part.exec(body) ?? [];
    const unit = units.get(name);
    if (unit === undefined || whole + fraction === "") throw invalid();
    const count = BigInt(whole);
    if (count > limit / unit) throw invalid();
    const value = count * unit + fractionOf(fraction, unit);
    total = BigInt.asUintN(64, total + value);
    if (value > limit || total > limit) throw invalid();
  }
  if (sign === "-") return -total;
  if (total > maxInt64) throw invalid();
  return total;
}

/** Calculated in doubles, as Go does; digits that do not fit into 63 bits are left out. */
function fractionOf(digits: string, unit: bigint): bigint {
  let [value, scale] = [0n, 1];
  for (const digit of digits) {
    const next = value * 10n + BigInt(digit);
    if (value > maxInt64 / 10n || next > limit) break;
    value = next;
    scale *= 10;
  }
  return BigInt(Math.trunc(Number(value) * (Number(unit) / scale)));
}
