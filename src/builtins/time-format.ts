import { type Civil, civilOf, dayNames, dayOfYear, monthNames, weekdayOf } from "./civil.js";
import { layoutParts } from "./time-layout.js";
import type { Zone } from "./time-zone.js";

/** Go's `Time.Format` of a time between 1677 and 2262. */
export function formatTime(seconds: number, nanoseconds: number, zone: Zone, layout: string): string {
  const offset = zone.offsetAt(seconds);
  const civil = civilOf(seconds + offset);
  const abbreviation = layout.includes("MST") ? zone.abbreviationAt(seconds) : "";
  let text = "";
  for (const { literal, element } of layoutParts(layout)) {
    text += literal;
    if (element === undefined) break;
    if (element === "MST") text += abbreviation;
    else if (/^[-Z]07/.test(element)) text += offsetText(offset, element);
    else if (/^[.,]/.test(element)) text += fraction(nanoseconds, element);
    else text += elementText(civil, element);
  }
  return text;
}

function pad(value: number, width = 2): string {
  return value.toString().padStart(width, "0");
}

function elementText(civil: Civil, element: string): string {
  const { year, month, day, hour, minute, second } = civil;
  switch (element) {
    case "2006":
      return pad(year, 4);
    case "06":
      return pad(year % 100);
    case "January":
    case "Jan":
      return (monthNames[month - 1] ?? "").slice(0, element === "Jan" ? 3 : undefined);
    case "01":
      return pad(month);
    case "1":
      return `${month}`;
    case "Monday":
    case "Mon":
      return (dayNames[weekdayOf(civil)] ?? "").slice(0, element === "Mon" ? 3 : undefined);
    case "02":
      return pad(day);
    case "_2":
      return `${day}`.padStart(2);
    case "2":
      return `${day}`;
    case "002":
      return pad(dayOfYear(civil), 3);
    case "__2":
      return `${dayOfYear(civil)}`.padStart(3);
    case "15":
      return pad(hour);
    case "03":
      return pad(hour % 12 || 12);
    case "3":
      return `${hour % 12 || 12}`;
    case "04":
      return pad(minute);
    case "4":
      return `${minute}`;
    case "05":
      return pad(second);
    case "5":
      return `${second}`;
    case "PM":
      return hour < 12 ? "AM" : "PM";
    default:
      return hour < 12 ? "am" : "pm";
  }
}

function offsetText(offset: number, element: string): string {
  if (offset === 0 && element.startsWith("Z")) return "Z";
  const size = Math.abs(offset);
  const colon = element.includes(":") ? ":" : "";
  const digits = element.replace(/[^0-9]/g, "").length;
  let text = pad(Math.floor(size / 3600));
  if (digits > 2) text += colon + pad(Math.floor(size / 60) % 60);
  if (digits > 4) text += colon + pad(size % 60);
  // Go takes whole minutes' sign.
  return (offset <= -60 ? "-" : "+") + text;
}

/** `.000` has all its digits, `.999` none of the zeros at the end. */
function fraction(nanoseconds: number, element: string): string {
  const digits = pad(nanoseconds, 9).slice(0, element.length - 1);
  if (element.charAt(1) === "0") return element.charAt(0) + digits.padEnd(element.length - 1, "0");
  const kept = digits.replace(/0+$/, "");
  return kept === "" ? "" : element.charAt(0) + kept;
}
