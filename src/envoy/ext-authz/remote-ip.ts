import { type Ip, parseZonedIp } from "../../attributes/index.js";
import type { XffSettings } from "../../engine/index.js";

/** What Envoy trims; JavaScript's own trim also takes 0xa0. */
const surroundingSpace = /^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g;

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
  return entry === undefined ? peer : (parseZonedIp(entry.replace(surroundingSpace, "")) ?? peer);
}
