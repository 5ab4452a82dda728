import { type Ip, ipRange, isWithin, parseIp, parseZonedIp } from "../attributes/index.js";
import { never, type Predicate } from "./logic.js";
import type { CidrRange } from "./model.js";

/**
 * Reads `1.2.3.4`, `1.2.3.0/24` or the IPv6 forms, host bits allowed and masked away. A single address may
 * have a zone that Envoy takes, which says nothing: Envoy compares addresses without. Undefined when it is
 * none, with a zone beside a length, or with a prefix longer than the address.
 */
export function parseCidr(text: string): CidrRange | undefined {
  const slash = text.indexOf("/");
  const ip = slash < 0 ? parseZonedIp(text) : parseIp(text.slice(0, slash));
  if (ip === undefined) return undefined;
  const bits = ip.family === 4 ? 32 : 128;
  const length = slash < 0 ? String(bits) : text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(length) || Number(length) > bits) return undefined;
  return { addressPrefix: ip.text, prefixLen: Number(length) };
}

/** Whether an address lies in the range. Families never mix; an absent address lies in none. */
export function compileCidr(range: CidrRange): Predicate<Ip | undefined> {
  const prefix = parseIp(range.addressPrefix);
  if (prefix === undefined) return never;
  const wanted = ipRange(prefix, range.prefixLen);
  return (ip) => ip !== undefined && isWithin(ip, wanted);
}
