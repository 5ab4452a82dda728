import { RE2JS } from "re2js";
import { isIpv4, isIpv6, parseGoUrl } from "./go-url.js";

/** Whether a text has a format of JSON schema, as OPA checks it; formats that are unknown always match. */
export function hasFormat(format: string, text: string): boolean {
  return formats.get(format)?.(text) ?? true;
}

const formats: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ["date", isDate],
  ["time", isTime],
  ["date-time", isDateTime],
  ["hostname", isHostname],
  ["email", isEmail],
  ["idn-email", isEmail],
  ["ipv4", (text: string) => isIpv4(text) || (text.includes(".") && isIpv6(text))],
  ["ipv6", isIpv6],
  ["uri", isUri],
  ["iri", isUri],
  ["uri-reference", isReference],
  ["iri-reference", isReference],
  ["uri-template", isTemplate],
  ["uuid", (text: string) => /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text)],
  ["regex", isRegex],
  ["json-pointer", (text: string) => /^(?:\/(?:[^~/]|~0|~1)*)*$/.test(text)],
  ["relative-json-pointer", (text: string) => /^(?:0|[1-9]\d*)(?:#|(?:\/(?:[^~/]|~0|~1)*)*)$/.test(text)],
]);

function isDate(text: string): boolean {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)?.map(Number) ?? [];
  if (year === undefined || month === undefined || day === undefined) return false;
  return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
}

function daysIn(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** The hour may have one digit, and there may be a fraction of a second: so Go's time.Parse. */
function isTime(text: string): boolean {
  const found = /^(\d\d?):(\d\d):(\d\d)(?:[.,]\d+)?(?:Z|[+-](\d\d):(\d\d))?$/.exec(text);
  if (found === null) return false;
  const [hour = 0, minute = 0, second = 0, zoneHour = 0, zoneMinute = 0] = found
    .slice(1)
    .map((part) => Number(part ?? "0"));
  return hour < 24 && minute < 60 && second < 60 && zoneHour <= 24 && zoneMinute <= 60;
}

function isDateTime(text: string): boolean {
  if (isDate(text) || isTime(text)) return true;
  const time = text.slice(11);
  return (
    text.charAt(10) === "T" &&
    isDate(text.slice(0, 10)) &&
    isTime(time) &&
    /[Z\d]$/.test(time) &&
    hasZone(time)
  );
}

function hasZone(time: string): boolean {
  return /(?:Z|[+-]\d\d:\d\d)$/.test(time);
}

const label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
const hostname = new RegExp(`^${label}(?:\\.${label})*$`);

function isHostname(text: string): boolean {
  return text.length < 256 && hostname.test(text);
}

const atext = "[!#-'*+\\-/-9=?A-Z^-~\\u0080-\\uffff]";
const quoted = '"(?:[ \\t!#-\\[\\]-~\\u0080-\\uffff]|\\\\[ \\t!-~\\u0080-\\uffff])*"';
const address = new RegExp(`^ *(?:${atext}+(?:\\.${atext}+)*|(?!"")${quoted})@ *([^ ].*?)$`, "s");
const domain = new RegExp(`^${atext}+(?:\\.${atext}+)*$`);
const phrase = new RegExp(`^(?:[ \\t]*(?:(?:${atext}|\\.)+|${quoted}))*[ \\t]*$`);

/** One address as Go's mail.ParseAddress reads it, `Name <a@b>` too; groups and encoded words are refused. */
function isEmail(text: string): boolean {
  if (text.length > 1_000) return false;
  const named = /^(.*)<(.*)>[ \t]*(?:\([^()\\]*\)[ \t]*)?$/s.exec(text);
  if (named !== null && phrase.test(named[1] ?? "")) return isAddress(named[2] ?? "");
  return isAddress(text.replace(/[ \t]*(?:\([^()\\]*\)[ \t]*)?$/, ""));
}

function isAddress(text: string): boolean {
  const place = address.exec(text)?.[1];
  if (place === undefined) return false;
  if (!place.startsWith("[")) return domain.test(place);
  const literal = place.endsWith("]") ? place.slice(1, -1) : "";
  return isIpv4(literal) || isIpv6(literal);
}

function isUri(text: string): boolean {
  return succeeds(() => parseGoUrl(text).scheme !== "" && !text.includes("\\"));
}

function isReference(text: string): boolean {
  return succeeds(() => {
    parseGoUrl(text);
    return !text.includes("\\");
  });
}

function isTemplate(text: string): boolean {
  return succeeds(() => {
    const { path } = parseGoUrl(text);
    // Braces in pairs; what stands behind the last pair may be anything but an opening one.
    return !text.includes("\\") && /^(?:[^{]|\{[^}]*\})*$/.test(path);
  });
}

function isRegex(text: string): boolean {
  return succeeds(() => RE2JS.compile(text) !== undefined);
}

function succeeds(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}
