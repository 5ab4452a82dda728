import { type Ip, parseZonedIp } from "../attributes/index.js";
import type { XffSettings } from "../engine/index.js";

/** What Envoy trims; JavaScript's own trim also takes 0xa0. */
const spaces = " \t\n\v\f\r";

/**
 * The client's address as the listener's X-Forwarded-For settings see it. A CheckRequest does not carry it,
 * so it is read as Envoy reads it: the (hops + 1)-th entry from the right, where Envoy itself has appended
 * the peer already if it uses the remote address. What is no bare address means the peer.
 */
export function remoteIp(
  peer: Ip | undefined,
  xff: readonly string[] | undefined,
  settings: XffSettings,
): Ip | undefined {
  if (xff === undefined || (settings.useRemoteAddress && settings.numTrustedHops === 0)) return peer;
  const entries = xff.join(",").split(",");
  const entry = entries[entries.length - 1 - settings.numTrustedHops];
  return entry === undefined ? peer : (parseZonedIp(trim(entry)) ?? peer);
}

/** Counted from both ends: an expression takes quadratic time for many spaces in the midst. */
function trim(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && spaces.includes(text.charAt(start))) start++;
  while (end > start && spaces.includes(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}
