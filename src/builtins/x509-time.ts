import { BuiltinError } from "./builtin.js";
import { type Der, read, tags } from "./der.js";

/** A moment as a certificate has it. */
export interface CertificateTime {
  /** Milliseconds since the epoch. */
  readonly ms: number;
  /** RFC 3339, in the zone in which it was written. */
  readonly text: string;
}

const utcTime = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(Z|[+-]\d{4})$/;
const generalizedTime = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(Z|[+-]\d{4})$/;

/** Reads a UTCTime (years 1950 to 2049) or a GeneralizedTime without fractions. */
export function readTime(input: Der): CertificateTime {
  const { tag, body } = read(input);
  const short = tag === tags.utcTime;
  if (!short && tag !== tags.generalizedTime) throw new BuiltinError("unsupported time format");
  const fields = (short ? utcTime : generalizedTime).exec(body.toString("latin1"));
  if (fields === null) throw new BuiltinError("malformed time");
  const [, written = "", month, day, hour, minute, second = "00", zone = ""] = fields;
  const year = !short ? written : `${Number(written) < 50 ? "20" : "19"}${written}`;
  const offset = zone === "Z" ? "Z" : `${zone.slice(0, 3)}:${zone.slice(3)}`;
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const ms = Date.parse(`${local}${offset}`);
  // The parser of the runtime would carry a 31st of April over into May.
  const exact = !Number.isNaN(ms) && new Date(Date.parse(`${local}Z`)).toISOString().startsWith(local);
  if (!exact || /[+-]0000/.test(zone) || second === "60") throw new BuiltinError("malformed time");
  return { ms, text: `${local}${offset}` };
}
