import type { Unit } from "./model.js";

/** Seconds of each unit; months have 30 days and years 365, as envoyproxy/ratelimit counts. */
export const unitSeconds: Readonly<Record<Unit, number>> = {
  SECOND: 1,
  MINUTE: 60,
  HOUR: 3600,
  DAY: 86_400,
  WEEK: 604_800,
  MONTH: 2_592_000,
  YEAR: 31_536_000,
};

const unitsByLength: readonly Unit[] = ["SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "YEAR"];

/** By the numbers of `envoy.type.v3.RateLimitUnit`, of which 0 is none. */
const unitsOnTheWire: readonly (Unit | undefined)[] = [
  undefined,
  "SECOND",
  "MINUTE",
  "HOUR",
  "DAY",
  "MONTH",
  "YEAR",
  "WEEK",
];

/** Of a number of `envoy.type.v3.RateLimitUnit`; undefined for UNKNOWN and for numbers that have no name. */
export function unitOfNumber(number: number): Unit | undefined {
  return unitsOnTheWire[number];
}

/** The unit of a window; undefined where none is so long. */
export function unitOfSeconds(seconds: number): Unit | undefined {
  return unitsByLength.find((unit) => unitSeconds[unit] === seconds);
}

/** Where the window begins that holds `now`, both in seconds since the epoch. */
export function windowStart(unit: Unit, now: number): number {
  return now - (now % unitSeconds[unit]);
}

/** Whole seconds from `now`, in seconds since the epoch, to the window's end: 1 to the unit's length. */
export function secondsUntilReset(unit: Unit, now: number): number {
  return unitSeconds[unit] - (now % unitSeconds[unit]);
}

/** Whether a window of a longer unit begins at this start too, for some longer unit. */
export function startsLongerWindow(unit: Unit, start: number): boolean {
  const seconds = unitSeconds[unit];
  return unitsByLength.some((other) => unitSeconds[other] > seconds && start % unitSeconds[other] === 0);
}
