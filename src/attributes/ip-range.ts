import type { Ip } from "./address.js";

/** The addresses that share their first bits with one. Plain data: survives a structured clone. */
export interface IpRange {
  readonly family: 4 | 6;
  /** What the masked words of an address must be. */
  readonly words: readonly number[];
  readonly masks: readonly number[];
}

/** The range of the addresses whose first `prefixLen` bits are those of `ip`. */
export function ipRange({ family, words }: Ip, prefixLen: number): IpRange {
  const masks = words.map((_, i) => mask(prefixLen - 32 * i));
  return { family, words: words.map((word, i) => word & (masks[i] ?? 0)), masks };
}

/** Whether an address lies in a range. Families never mix. */
export function isWithin(ip: Ip, { family, words, masks }: IpRange): boolean {
  if (ip.family !== family) return false;
  for (let i = 0; i < words.length; i++) {
    if (((ip.words[i] ?? 0) & (masks[i] ?? 0)) !== words[i]) return false;
  }
  return true;
}

/** The 32-bit mask of the first `bits` bits, where bits may be below 0 or above 32. */
function mask(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : -1 << (32 - bits);
}
