/** Dates and clocks of the Gregorian calendar, which goes on before its invention. */
export interface Civil {
  readonly year: number;
  /** From 1. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

const secondsPerDay = 86_400;

/** What a clock shows so many seconds after the epoch. */
export function civilOf(seconds: number): Civil {
  const days = Math.floor(seconds / secondsPerDay);
  const second = seconds - days * secondsPerDay;
  const [hour, minute] = [Math.floor(second / 3600), Math.floor(second / 60) % 60];
  return { ...dateOf(days), hour, minute, second: second % 60 };
}

/** The date so many days after the epoch; years are counted from March, so that leap days come last. */
function dateOf(days: number): Pick<Civil, "year" | "month" | "day"> {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const inEra = shifted - era * 146_097;
  const leaps = Math.floor(inEra / 1460) - Math.floor(inEra / 36_524) + Math.floor(inEra / 146_096);
  const year = Math.floor((inEra - leaps) / 365);
  const inYear = inEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  const fromMarch = Math.floor((5 * inYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const day = inYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  return { year: year + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

/** Days from the epoch to a date; months and days beyond their range count on. */
export function daysOf(year: number, month: number, day: number): number {
  const months = month - 1;
  const rest = ((months % 12) + 12) % 12;
  const fromMarch = rest < 2 ? rest + 10 : rest - 2;
  const shifted = year + (months - rest) / 12 - (rest < 2 ? 1 : 0);
  const era = Math.floor(shifted / 400);
  const inEra = shifted - era * 400;
  const inYear = Math.floor((153 * fromMarch + 2) / 5) + day - 1;
  return era * 146_097 + inEra * 365 + Math.floor(inEra / 4) - Math.floor(inEra / 100) + inYear - 719_468;
}

/** Seconds from the epoch to a date and a clock of UTC. */
export function secondsOf({ year, month, day, hour, minute, second }: Civil): number {
  return daysOf(year, month, day) * secondsPerDay + hour * 3600 + minute * 60 + second;
}

/** From 1. */
export function dayOfYear({ year, month, day }: Civil): number {
  return daysOf(year, month, day) - daysOf(year, 1, 1) + 1;
}

/** 0 is Sunday. */
export function weekdayOf({ year, month, day }: Civil): number {
  return (((daysOf(year, month, day) + 4) % 7) + 7) % 7;
}

/** How many days a month has. */
export function daysIn(year: number, month: number): number {
  return daysOf(year, month + 1, 1) - daysOf(year, month, 1);
}

export const monthNames: readonly string[] = [
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

export const dayNames: readonly string[] = [
  "Sunday",
  "Monday",
  "Tuesday",
  "Wednesday",
  "Thursday",
  "Friday",
  "Saturday",
];
