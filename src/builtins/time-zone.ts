import { BuiltinError } from "./builtin.js";
import { recent } from "./recent.js";
import { zoneData } from "./zone-data.js";

/** A time zone. Times are seconds since the epoch. */
export interface Zone {
  /** Seconds that its clocks are ahead of UTC. */
  readonly offsetAt: (seconds: number) => number;
  /** `CEST`, or `+03` where there is none. */
  readonly abbreviationAt: (seconds: number) => string;
}

/** The zone in which there is no other. */
export const utc: Zone = { offsetAt: () => 0, abbreviationAt: () => "UTC" };

/**
 * The zone with a name of the tz database. `Local` is UTC: what a policy says does not depend on the server's
 * own zone. Offsets are those of `Intl`, which differ from Go's in some zones before 1970. Throws a
 * BuiltinError for other names.
 */
export function zoneNamed(name: string): Zone {
  return name === "" || name === "UTC" || name === "Local" ? utc : zoneOf(name);
}

const zoneOf = recent(64, (name: string): Zone => {
  const abbreviations = abbreviationsOf(name);
  if (abbreviations === undefined) throw new BuiltinError(`unknown time zone ${name}`);
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: name,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const offsetAt = (seconds: number): number => {
    const local = { year: 0, month: 1, day: 1, hour: 0, minute: 0, second: 0 };
    for (const { type, value } of format.formatToParts(seconds * 1000)) {
      if (type in local) local[type as keyof typeof local] = Number(value);
    }
    const { year, month, day, hour, minute, second } = local;
    return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - seconds;
  };
  return {
    offsetAt,
    abbreviationAt: (seconds) => {
      const offset = offsetAt(seconds);
      const known = abbreviations.find((it) => it.offset * 60 === offset && seconds < it.until);
      return known?.text ?? numericAbbreviation(offset);
    },
  };
});

interface Abbreviation {
  readonly text: string;
  /** In minutes. */
  readonly offset: number;
  readonly until: number;
}

/** Clocks had seconds only before there were zones. */
function numericAbbreviation(offset: number): string {
  if (offset % 60 !== 0) return "LMT";
  const minutes = Math.abs(offset) / 60;
  const [hour, minute] = [Math.floor(minutes / 60), minutes % 60].map((part) => `${part}`.padStart(2, "0"));
  return `${offset < 0 ? "-" : "+"}${hour}${minute === "00" ? "" : minute}`;
}

let table: ReadonlyMap<string, readonly Abbreviation[]> | undefined;

function abbreviationsOf(zone: string): readonly Abbreviation[] | undefined {
  table ??= readTable();
  return table.get(zone);
}

function readTable(): ReadonlyMap<string, readonly Abbreviation[]> {
  const zones = new Map<string, readonly Abbreviation[]>();
  for (const group of zoneData.split("\n=")) {
    const words = group.split(/\s+/).filter((word) => word !== "");
    const abbreviations = words.map(abbreviation).filter((it) => it !== undefined);
    for (const word of words) if (abbreviation(word) === undefined) zones.set(word, abbreviations);
  }
  return zones;
}

/** `CET+60`, or `WEST+60<4130` for one that ended; undefined for a zone's name, of which some look alike. */
function abbreviation(word: string): Abbreviation | undefined {
  const found = /^([A-Za-z]+|[+-]\d+)([+-]\d+)(?:<(\d+))?!$/.exec(word);
  if (found === null) return undefined;
  const [, text = "", offset = "0", day] = found;
  return { text, offset: Number(offset), until: day === undefined ? Infinity : Number(day) * 86_400 };
}
