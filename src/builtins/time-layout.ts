import { LimitError } from "./limit.js";

/** One part of a layout of Go's package time: literal text, and an element behind it (none at the end). */
export interface LayoutPart {
  readonly literal: string;
  /** As the layout has it: `2006`, `Jan`, `-07:00`, `.000`. */
  readonly element: string | undefined;
}

/** Elements in the order in which Go looks for them at a place. */
const elements = new RegExp(
  [
    "January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST",
    "0[1-6]|002|15|1|2006|2",
    // `_2006` is a `_` and a year.
    "_2(?!006)|__2|3|4|5|PM|pm",
    "[-Z]070000|[-Z]07:00:00|[-Z]0700|[-Z]07:00|[-Z]07",
    "[.,](?:0+|9+)(?!\\d)",
  ].join("|"),
  "g",
);

/** Characters that a layout may have. */
const maxLength = 10_000;

/** The parts of a layout; throws a LimitError when it is too long. */
export function layoutParts(layout: string): readonly LayoutPart[] {
  if (layout.length > maxLength) throw new LimitError(`layout of more than ${maxLength} characters`);
  const parts: LayoutPart[] = [];
  let at = 0;
  for (const { 0: element, index } of layout.matchAll(elements)) {
    parts.push({ literal: layout.slice(at, index), element });
    at = index + element.length;
  }
  return [...parts, { literal: layout.slice(at), element: undefined }];
}

/** Go's names of layouts that OPA allows for. */
const named: ReadonlyMap<string, string> = new Map([
  ["ANSIC", "Mon Jan _2 15:04:05 2006"],
  ["UnixDate", "Mon Jan _2 15:04:05 MST 2006"],
  ["RubyDate", "Mon Jan 02 15:04:05 -0700 2006"],
  ["RFC822", "02 Jan 06 15:04 MST"],
  ["RFC822Z", "02 Jan 06 15:04 -0700"],
  ["RFC850", "Monday, 02-Jan-06 15:04:05 MST"],
  ["RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"],
  ["RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"],
  ["RFC3339", "2006-01-02T15:04:05Z07:00"],
  ["RFC3339Nano", "2006-01-02T15:04:05.999999999Z07:00"],
]);

/** The layout of a name, or the very layout. */
export function layoutNamed(text: string): string {
  return named.get(text) ?? text;
}
