import { GatehouseError } from "../diagnostics/index.js";

/**
 * What is wrong with a call: no domain, no descriptors, an override whose unit does not exist, hits that no
 * counter can hold.
 */
export type RateLimitErrorKind = "empty_domain" | "empty_descriptors" | "bad_override" | "bad_hits";

/** A call that cannot be decided, with envoyproxy/ratelimit's text where it has one; nothing was counted. */
export class RateLimitError extends GatehouseError {
  readonly kind: RateLimitErrorKind;

  constructor(kind: RateLimitErrorKind, message: string) {
    super("bad_request", message);
    this.name = "RateLimitError";
    this.kind = kind;
  }
}
