import { stringAt } from "./arguments.js";
import { bigFloat, truncated } from "./big-float.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { type Civil, civilOf, dayNames, daysIn, daysOf, weekdayOf } from "./civil.js";
import { durationOf } from "./duration.js";
import { intAt, maxInt64, minInt64 } from "./go-integer.js";
import { integer } from "./number.js";
import { formatTime } from "./time-format.js";
import { layoutNamed } from "./time-layout.js";
import { type Moment, parseTime } from "./time-parse.js";
import { type Zone, zoneNamed } from "./time-zone.js";
import { isArray, isNumber, typeOf, type Value } from "./value.js";

/** Times (v1/topdown/time.go): nanoseconds since the epoch, exactly, between the years 1677 and 2262. */
export const time: Builtins = {
  "time.add_date": addDate,
  "time.clock": (args) => {
    const { hour, minute, second } = civilAt(timeAt(args, 0));
    return [hour, minute, second];
  },
  "time.date": (args) => {
    const { year, month, day } = civilAt(timeAt(args, 0));
    return [year, month, day];
  },
  "time.diff": difference,
  "time.format": format,
  "time.now_ns": (_, { nowNs }) => integer(nowNs),
  "time.parse_duration_ns": (args) => integer(durationOf(stringAt(args, 0))),
  "time.parse_ns": (args) => nanoseconds(parseTime(layoutNamed(stringAt(args, 0)), stringAt(args, 1))),
  "time.parse_rfc3339_ns": (args) => nanoseconds(parseTime(layoutNamed("RFC3339"), stringAt(args, 0))),
  "time.weekday": (args) => dayNames[weekdayOf(civilAt(timeAt(args, 0)))],
};

/** A moment in a zone; the layout is empty without one. */
interface ZonedTime extends Moment {
  readonly zone: Zone;
  readonly layout: string;
}

/** The argument: `ns`, `[ns]`, `[ns, "zone"]` or `[ns, "zone", "layout"]`. */
function timeAt(args: readonly Value[], index: number): ZonedTime {
  const value = args[index] ?? null;
  const parts = isArray(value) ? value : [value];
  const [instant = null, name = "", layout = ""] = parts;
  if (!isNumber(instant)) {
    throw new BuiltinError(`operand 1 must be either number (ns) or [number (ns), string (tz)]`);
  }
  const zone = zoneNamed(text(name));
  const { integer: ns, exact } = truncated(bigFloat(instant));
  if (!exact || ns < minInt64 || ns > maxInt64) throw new BuiltinError("timestamp too big");
  const rest = Number(((ns % billion) + billion) % billion);
  return { seconds: Number((ns - BigInt(rest)) / billion), nanoseconds: rest, zone, layout: text(layout) };
}

const billion = 1_000_000_000n;

function text(value: Value): string {
  if (typeof value !== "string") throw new BuiltinError(`operand 1 must be string but got ${typeOf(value)}`);
  return value;
}

/** As a number, where it has 64 bits. */
function nanoseconds({ seconds, nanoseconds: rest }: Moment): Value {
  const ns = Number.isSafeInteger(seconds) ? BigInt(seconds) * billion + BigInt(rest) : maxInt64 + 1n;
  if (ns < minInt64 || ns > maxInt64) throw new BuiltinError("time outside of valid range");
  return integer(ns);
}

function civilAt({ seconds, zone }: ZonedTime): Civil {
  return civilOf(seconds + zone.offsetAt(seconds));
}

function format(args: readonly Value[]): string {
  const { seconds, nanoseconds: rest, zone, layout } = timeAt(args, 0);
  return formatTime(seconds, rest, zone, layoutNamed(layout === "" ? "RFC3339Nano" : layout));
}

/** Amounts beyond lead out of the years that there are, whatever the others are; Go's would overflow. */
const maxAmount = 1n << 31n;

function addDate(args: readonly Value[]): Value {
  const at = timeAt(args, 0);
  const [years, months, days] = [1, 2, 3].map((index) => {
    const amount = intAt(args, index);
    if (amount > maxAmount || amount < -maxAmount) throw new BuiltinError("time outside of valid range");
    return Number(amount);
  });
  const { year, month, day, hour, minute, second } = civilAt(at);
  const date = daysOf(year + (years ?? 0), month + (months ?? 0), day + (days ?? 0));
  const local = date * 86_400 + hour * 3600 + minute * 60 + second;
  if (Math.abs(local) > maxSeconds) throw new BuiltinError("time outside of valid range");
  return nanoseconds({ seconds: local - offsetOfLocal(local, at.zone), nanoseconds: at.nanoseconds });
}

/** A little more than 64 bits of nanoseconds. */
const maxSeconds = 9_300_000_000;

/** The offset that clocks have which show a time; Go tries the one that would be if they showed UTC. */
function offsetOfLocal(local: number, zone: Zone): number {
  const first = zone.offsetAt(local);
  return first === 0 ? 0 : zone.offsetAt(local - first);
}

function difference(args: readonly Value[]): Value {
  const [first, other] = [timeAt(args, 0), timeAt(args, 1)];
  const second = { ...other, zone: first.zone };
  const isLater =
    first.seconds > second.seconds ||
    (first.seconds === second.seconds && first.nanoseconds > second.nanoseconds);
  const [a, b] = isLater ? [civilAt(second), civilAt(first)] : [civilAt(first), civilAt(second)];
  const parts = [a.year, a.month, a.day, a.hour, a.minute, a.second];
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, sec = 0] = [
    b.year,
    b.month,
    b.day,
    b.hour,
    b.minute,
    b.second,
  ].map((part, i) => part - (parts[i] ?? 0));
  // From the smallest unit on, what is negative borrows one of the next.
  const [s, minutes] = borrow(sec, minute, 60);
  const [m, hours] = borrow(minutes, hour, 60);
  const [h, days] = borrow(hours, day, 24);
  const [d, months] = borrow(days, month, daysIn(a.year, a.month));
  const [mon, y] = borrow(months, year, 12);
  return [y, mon, d, h, m, s];
}

function borrow(value: number, next: number, size: number): readonly [number, number] {
  return value < 0 ? [value + size, next - 1] : [value, next];
}
