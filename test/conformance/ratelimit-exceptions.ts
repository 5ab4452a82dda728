/** A step that we knowingly answer otherwise than the corpus while counter keys are our own. */
export interface RateLimitException {
  /** Of the config. */
  readonly id: string;
  /** Its index, from 0. */
  readonly step: number;
  /** Which two counters are one in the peer. */
  readonly reason: string;
}

/**
 * Steps in which two different counters of ours are one in the peer, because it joins names with `_` and
 * escapes none, or because windows of two units begin at the same time. The corpus has none: its entries that
 * could be mistaken for others never meet on one counter, and none of its windows begin together.
 */
export const rateLimitExceptions: readonly RateLimitException[] = [];
