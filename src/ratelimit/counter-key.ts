import { createHash } from "node:crypto";
import type { DescriptorRequest, RateLimitSettings, Unit } from "./model.js";
import { startsLongerWindow, windowStart } from "./windows.js";

/** For one entry each: the pattern that stands for the value in the key; undefined: the value itself. */
export type SharedPatterns = readonly (string | undefined)[];

/** Names counters. */
export interface CounterKeys {
  /** What all keys of a domain begin with. */
  domainPart(domain: string): string;
  /** `now` in seconds since the epoch; `domainPart` as above. */
  key(
    domainPart: string,
    entries: DescriptorRequest["entries"],
    patterns: SharedPatterns | undefined,
    unit: Unit,
    now: number,
  ): string;
}

const escapeSign = "\\";
const escapeCode = escapeSign.charCodeAt(0);
const separatorCode = "_".charCodeAt(0);

/** UTF-16 units. A part that is longer stands in a key as its hash, so that callers cannot fill the store. */
const longestPart = 256;

/**
 * Names counters as envoyproxy/ratelimit does: prefix, domain, keys and values, each ended by `_`, and the
 * window's start.
 *
 * With `sharedKeys` byte by byte, so that both can count in one Redis. There the entries (`a_b`, `c`) and
 * (`a`, `b_c`) are one counter, and so are windows of different units while they have the same start (HOUR
 * and DAY in the first hour).
 *
 * Without, two keys are equal only for equal domain, entries, unit and window: `_` and `\` inside a part are
 * escaped by `\`, a part of more than 256 characters is `\#` and its SHA-256, and a start that is also the
 * start of a longer unit's window is followed by `:` and the unit. A key in which none of that happens is the
 * peer's own.
 */
export function createCounterKeys(
  settings: Pick<RateLimitSettings, "keyPrefix" | "sharedKeys">,
): CounterKeys {
  const { keyPrefix } = settings;
  const part = settings.sharedKeys ? asItIs : escaped;
  const start = settings.sharedKeys ? bareStart : distinctStart;
  const windows = new Map<Unit, Window>();
  return {
    domainPart: (domain) => `${keyPrefix}${part(domain)}_`,
    key: (domainPart, entries, patterns, unit, now) => {
      let key = domainPart;
      for (let index = 0; index < entries.length; index += 1) {
        const entry = entries[index] as (typeof entries)[number];
        key += `${part(entry.key)}_${part(patterns?.[index] ?? entry.value)}_`;
      }
      return key + windowText(windows, unit, now, start);
    },
  };
}

interface Window {
  readonly start: number;
  readonly text: string;
}

/** The text changes once in a window, and is asked for in each request. */
function windowText(
  windows: Map<Unit, Window>,
  unit: Unit,
  now: number,
  write: (unit: Unit, start: number) => string,
): string {
  const start = windowStart(unit, now);
  const known = windows.get(unit);
  if (known?.start === start) {
    return known.text;
  }
  const text = write(unit, start);
  windows.set(unit, { start, text });
  return text;
}

function bareStart(_unit: Unit, start: number): string {
  return String(start);
}

function distinctStart(unit: Unit, start: number): string {
  return startsLongerWindow(unit, start) ? `${start}:${unit}` : String(start);
}

function asItIs(part: string): string {
  return part;
}

function escaped(part: string): string {
  if (part.length > longestPart) {
    const hash = createHash("sha256").update(part, "utf16le").digest("base64url");
    return `${escapeSign}#${hash.replaceAll("_", ".")}`;
  }
  for (let index = 0; index < part.length; index += 1) {
    const code = part.charCodeAt(index);
    if (code === separatorCode || code === escapeCode) {
      return escapedFrom(part, index);
    }
  }
  return part;
}

function escapedFrom(part: string, first: number): string {
  let text = part.slice(0, first);
  for (let index = first; index < part.length; index += 1) {
    const code = part.charCodeAt(index);
    text += code === separatorCode || code === escapeCode ? escapeSign + part[index] : part[index];
  }
  return text;
}
