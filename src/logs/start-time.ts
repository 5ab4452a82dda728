/** Gives a point in time as text; milliseconds since the epoch, with fractions. */
export type TimeText = (time: number) => string;

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

const pad = (value: number, width: number, fill = "0"): string => String(value).padStart(width, fill);
const dayMs = 86_400_000;

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / dayMs) + 1;
}

/** strftime(3) in UTC. */
const parts: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getUTCFullYear()),
  y: (date) => pad(date.getUTCFullYear() % 100, 2),
  C: (date) => pad(Math.floor(date.getUTCFullYear() / 100), 2),
  m: (date) => pad(date.getUTCMonth() + 1, 2),
  d: (date) => pad(date.getUTCDate(), 2),
  e: (date) => pad(date.getUTCDate(), 2, " "),
  j: (date) => pad(dayOfYear(date), 3),
  H: (date) => pad(date.getUTCHours(), 2),
  I: (date) => pad(date.getUTCHours() % 12 || 12, 2),
  M: (date) => pad(date.getUTCMinutes(), 2),
  S: (date) => pad(date.getUTCSeconds(), 2),
  p: (date) => (date.getUTCHours() < 12 ? "AM" : "PM"),
  a: (date) => (days[date.getUTCDay()] ?? "").slice(0, 3),
  A: (date) => days[date.getUTCDay()] ?? "",
  b: (date) => (months[date.getUTCMonth()] ?? "").slice(0, 3),
  h: (date) => (months[date.getUTCMonth()] ?? "").slice(0, 3),
  B: (date) => months[date.getUTCMonth()] ?? "",
  u: (date) => String(date.getUTCDay() || 7),
  w: (date) => String(date.getUTCDay()),
  F: (date) => date.toISOString().slice(0, 10),
  T: (date) => date.toISOString().slice(11, 19),
  R: (date) => date.toISOString().slice(11, 16),
  D: (date) =>
    `${pad(date.getUTCMonth() + 1, 2)}/${pad(date.getUTCDate(), 2)}/${pad(date.getUTCFullYear() % 100, 2)}`,
  s: (date) => String(Math.floor(date.getTime() / 1000)),
  z: () => "+0000",
  Z: () => "UTC",
  n: () => " ",
  t: () => "\t",
  "%": () => "%",
};

/** `%f`, `%3f`, `%E3S`, `%E*S`, `%E4Y`, `%Ez`, or a letter. */
const token = /%(?:([1-9]?)f|E([0-9]|\*)([Sf])|(E4Y)|(E\*?z)|(.))/gs;

/** Envoy's default: `2026-11-22T00:44:56.752Z`. */
export const isoTime: TimeText = (time) => (isDate(time) ? new Date(time).toISOString() : "-");

/**
 * Envoy's format of times (strftime with `%f`, `%3f` and Abseil's `%E3S`); undefined when it has a specifier that is
 * not known here.
 */
export function compileTime(format: string | undefined): TimeText | undefined {
  if (format === undefined || format === "") return isoTime;
  const steps: ((date: Date, nanos: string) => string)[] = [];
  let end = 0;
  let known = true;
  for (const match of format.matchAll(token)) {
    const [whole, digits, subsecond, unit, year, zone, letter = ""] = match;
    const literal = format.slice(end, match.index);
    if (literal !== "") steps.push(() => literal);
    end = match.index + whole.length;
    if (digits !== undefined) steps.push((_, nanos) => nanos.slice(0, Number(digits || 9)));
    else if (subsecond !== undefined) steps.push(seconds(subsecond, unit === "S"));
    else if (year !== undefined) steps.push((date) => pad(date.getUTCFullYear(), 4));
    else if (zone !== undefined) steps.push(() => "+00:00");
    else if (Object.hasOwn(parts, letter)) steps.push(parts[letter] ?? (() => ""));
    else known = false;
  }
  const rest = format.slice(end);
  if (!known || rest.includes("%")) return undefined;
  return (time) => {
    if (!isDate(time)) return "-";
    const date = new Date(Math.floor(time));
    // Finer than microseconds a number of milliseconds cannot tell.
    const micros = Math.round((time - Math.floor(time / 1000) * 1000) * 1000);
    const nanos = `${pad(Math.min(999_999, micros), 6)}000`;
    let text = "";
    for (const step of steps) text += step(date, nanos);
    return text + rest;
  };
}

function seconds(digits: string, withSeconds: boolean): (date: Date, nanos: string) => string {
  return (date, nanos) => {
    const fraction = digits === "*" ? nanos.replace(/0+$/, "") : nanos.slice(0, Number(digits));
    if (!withSeconds) return fraction;
    return fraction === "" ? pad(date.getUTCSeconds(), 2) : `${pad(date.getUTCSeconds(), 2)}.${fraction}`;
  };
}

function isDate(time: number): boolean {
  return time > -8.64e15 && time < 8.64e15;
}
