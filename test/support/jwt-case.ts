import type { JwtKit } from "./jwt-kit.js";
import type { Ask } from "./jwt-stage.js";

/** One request without a verdict: what is right is what a real Envoy does. */
export interface JwtCase {
  readonly id: string;
  /** Name of the rule set that it goes to. */
  readonly set: string;
  /** Makes the request at the time at which it is sent. */
  readonly ask: (kit: JwtKit) => Ask;
}

/** The header line of RFC 6750. */
export function bearer(token: string): string {
  return `Authorization: Bearer ${token}`;
}
