import { BuiltinError } from "./builtin.js";
import { dayNames, daysIn, daysOf, monthNames, secondsOf } from "./civil.js";
import { layoutParts } from "./time-layout.js";

/** A moment: whole seconds since the epoch, and what follows them. */
export interface Moment {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What is read so far. */
interface State {
  rest: string;
  year: number;
  month: number | undefined;
  day: number | undefined;
  dayOfYear: number | undefined;
  hour: number;
  minute: number;
  second: number;
  nanoseconds: number;
  half: "am" | "pm" | undefined;
  /** Seconds ahead of UTC. */
  offset: number | undefined;
  isUtc: boolean;
}

/**
 * Go's time.Parse on a machine whose local zone is UTC; throws a BuiltinError for texts that are not of the
 * layout.
 */
export function parseTime(layout: string, text: string): Moment {
  const state: State = {
    rest: text,
    year: 0,
    month: undefined,
    day: undefined,
    dayOfYear: undefined,
    hour: 0,
    minute: 0,
    second: 0,
    nanoseconds: 0,
    half: undefined,
    offset: undefined,
    isUtc: false,
  };
  const parts = layoutParts(layout);
  for (const [i, { literal, element }] of parts.entries()) {
    skip(state, literal);
    if (element === undefined) break;
    readElement(state, element, parts[i + 1]?.element);
  }
  if (state.rest !== "") throw failed();
  return momentOf(state);
}

function failed(): BuiltinError {
  return new BuiltinError("parsing time: not of the layout");
}

/** Literal text, in which a space stands for any number of them. */
function skip(state: State, literal: string): void {
  let at = 0;
  while (at < literal.length) {
    if (literal.charAt(at) === " ") {
      if (state.rest !== "" && !state.rest.startsWith(" ")) throw failed();
      while (literal.charAt(at) === " ") at++;
      state.rest = state.rest.replace(/^ +/, "");
    } else {
      const end = literal.indexOf(" ", at);
      const word = literal.slice(at, end < 0 ? undefined : end);
      if (!state.rest.startsWith(word)) throw failed();
      state.rest = state.rest.slice(word.length);
      at += word.length;
    }
  }
}

/** What the pattern finds in front; it is read then. */
function take(state: State, pattern: RegExp): string {
  const found = pattern.exec(state.rest)?.[0];
  if (found === undefined) throw failed();
  state.rest = state.rest.slice(found.length);
  return found;
}

function number(state: State, pattern: RegExp, low: number, high: number): number {
  const value = Number(take(state, pattern));
  if (value < low || value > high) throw new BuiltinError("parsing time: out of range");
  return value;
}

const oneOrTwo = /^\d{1,2}/;
const two = /^\d\d/;

function name(state: State, names: readonly string[], length?: number): number {
  const lower = state.rest.toLowerCase();
  const index = names.findIndex((it) => lower.startsWith(it.slice(0, length).toLowerCase()));
  if (index < 0) throw failed();
  state.rest = state.rest.slice((names[index] ?? "").slice(0, length).length);
  return index;
}

function readElement(state: State, element: string, following: string | undefined): void {
  switch (element) {
    case "2006":
      state.year = Number(take(state, /^\d{4}/));
      return;
    case "06": {
      const year = Number(take(state, /^(?:\d\d|[+-]\d)/));
      state.year = year >= 69 ? year + 1900 : year + 2000;
      return;
    }
    case "January":
    case "Jan":
      state.month = name(state, monthNames, element === "Jan" ? 3 : undefined) + 1;
      return;
    case "01":
    case "1":
      state.month = number(state, element === "1" ? oneOrTwo : two, 1, 12);
      return;
    case "Monday":
    case "Mon":
      name(state, dayNames, element === "Mon" ? 3 : undefined);
      return;
    case "_2":
    case "2":
    case "02":
      if (element === "_2") take(state, /^ ?/);
      state.day = number(state, element === "02" ? two : oneOrTwo, 0, 99);
      return;
    case "__2":
    case "002":
      if (element === "__2") take(state, /^ {0,2}/);
      state.dayOfYear = number(state, element === "002" ? /^\d{3}/ : /^\d{1,3}/, 0, 999);
      return;
    case "15":
      state.hour = number(state, oneOrTwo, 0, 23);
      return;
    case "3":
    case "03":
      state.hour = number(state, element === "3" ? oneOrTwo : two, 0, 12);
      return;
    case "4":
    case "04":
      state.minute = number(state, element === "4" ? oneOrTwo : two, 0, 59);
      return;
    case "5":
    case "05":
      state.second = number(state, element === "5" ? oneOrTwo : two, 0, 59);
      // A fraction may follow seconds, also where the layout has none.
      if (!/^[.,]/.test(following ?? "") && /^[.,]\d/.test(state.rest)) readFraction(state, /^[.,]\d+/);
      return;
    case "PM":
      readHalf(state, /^[AP]M/);
      return;
    case "pm":
      readHalf(state, /^[ap]m/);
      return;
    case "MST":
      readZoneName(state);
      return;
    default:
      if (/^[.,]0/.test(element)) readFraction(state, new RegExp(`^[.,]\\d{${element.length - 1}}`));
      else if (/^[.,]/.test(element)) readFraction(state, /^(?:[.,]\d+)?/);
      else readOffset(state, element);
  }
}

/** Of several that contradict the afternoon counts. */
function readHalf(state: State, pattern: RegExp): void {
  const half = take(state, pattern).toLowerCase();
  if (state.half !== "pm") state.half = half === "pm" ? "pm" : "am";
}

function readFraction(state: State, pattern: RegExp): void {
  const digits = take(state, pattern).slice(1, 10);
  state.nanoseconds = Number(digits.padEnd(9, "0"));
}

function readOffset(state: State, element: string): void {
  if (element.startsWith("Z") && state.rest.startsWith("Z")) {
    state.rest = state.rest.slice(1);
    state.isUtc = true;
    return;
  }
  const pattern = element.slice(1).replace(/\d\d/g, "\\d\\d");
  const found = take(state, new RegExp(`^[+-]${pattern}`));
  const [hour = 0, minute = 0, second = 0] = (found.match(/\d\d/g) ?? []).map(Number);
  if (hour > 24 || minute > 60 || second > 60) throw new BuiltinError("parsing time: out of range");
  const size = (hour * 60 + minute) * 60 + second;
  state.offset = found.startsWith("-") ? -size : size;
}

/** Names of zones are ambiguous, so Go reads over them, and over the `+3` of `GMT+3` too. */
function readZoneName(state: State): void {
  if (state.rest.startsWith("UTC")) {
    state.rest = state.rest.slice(3);
    state.isUtc = true;
    return;
  }
  const hour = /^(?:GMT)?[+-]\d+/.exec(state.rest)?.[0];
  if (hour !== undefined && Number(hour.replace(/^(?:GMT)?[+-]/, "")) <= 23) {
    state.rest = state.rest.slice(hour.length);
    return;
  }
  take(state, /^(?:ChST|MeST|GMT|[A-Z]{4}T(?![A-Z])|[A-Z]{3}T(?![A-Z])|WITA(?![A-Z])|[A-Z]{3}(?![A-Z]))/);
}

function momentOf(state: State): Moment {
  const { year, half, nanoseconds } = state;
  let { hour } = state;
  if (half === "pm" && hour < 12) hour += 12;
  else if (half === "am" && hour === 12) hour = 0;
  const { month, day } = dateOf(state);
  if (day < 1 || day > daysIn(year, month)) throw new BuiltinError("parsing time: day out of range");
  const clock = secondsOf({ year, month, day, hour, minute: state.minute, second: state.second });
  return { seconds: clock - offsetOf(state), nanoseconds };
}

/** Go marks a missing offset by −1, so an offset of that one second is none. */
function offsetOf({ isUtc, offset = 0 }: State): number {
  return isUtc || offset === -1 ? 0 : offset;
}

function dateOf({ year, month, day, dayOfYear }: State): { readonly month: number; readonly day: number } {
  if (dayOfYear === undefined) return { month: month ?? 1, day: day ?? 1 };
  const start = daysOf(year, 1, 1);
  if (dayOfYear < 1 || dayOfYear > daysOf(year + 1, 1, 1) - start) {
    throw new BuiltinError("parsing time: day-of-year out of range");
  }
  let found = 1;
  while (daysOf(year, found + 1, 1) - start < dayOfYear) found++;
  const rest = dayOfYear - (daysOf(year, found, 1) - start);
  if ((month !== undefined && month !== found) || (day !== undefined && day !== rest)) {
    throw new BuiltinError("parsing time: day-of-year does not match");
  }
  return { month: found, day: rest };
}
