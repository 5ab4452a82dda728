import type { DescriptorRequest } from "./model.js";
import { RateLimitError } from "./rate-limit-error.js";

const tooMany = 2 ** 63;

/**
 * What a descriptor adds to its counter: its own `hits_addend` where it has one, 0 included, which looks;
 * else the call's, of which 0 means 1. From 2^63 on it is refused: the peer hands it to Redis as a negative
 * number.
 */
export function hitsOf(descriptor: DescriptorRequest, ofCall: number): number | bigint {
  const { hitsAddend } = descriptor;
  if (hitsAddend === undefined) {
    return ofCall === 0 ? 1 : ofCall;
  }
  if (hitsAddend >= tooMany) {
    throw new RateLimitError(
      "bad_hits",
      `hits_addend \`${hitsAddend}\` is too great, expected a number below 2^63`,
    );
  }
  return typeof hitsAddend === "bigint" && hitsAddend <= Number.MAX_SAFE_INTEGER
    ? Number(hitsAddend)
    : hitsAddend;
}
