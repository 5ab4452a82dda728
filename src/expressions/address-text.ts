import { type Ip, ipRange } from "../attributes/index.js";

/**
 * The one text of an address, however it was written (RFC 5952): what else could be two counters for one
 * caller.
 */
export function addressText({ family, text, words }: Ip): string {
  return family === 4 ? text : textOfWords(words);
}

/** The IPv4 address that an IPv6 one stands for (`::ffff:1.2.3.4`); any other as it is. */
export function unmapped(ip: Ip): Ip {
  const [a, b, c, d = 0] = ip.words;
  if (ip.family !== 6 || a !== 0 || b !== 0 || c !== 0xffff) return ip;
  return { family: 4, text: dotted(d), words: [d] };
}

/** The range of the addresses with the same first bits, as `10.1.2.0/24`. */
export function prefixText(ip: Ip, bits: number): string {
  const words = ipRange(ip, bits).words.map((word) => word >>> 0);
  return `${ip.family === 4 ? dotted(words[0] ?? 0) : textOfWords(words)}/${bits}`;
}

function dotted(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 0xff}.${(word >>> 8) & 0xff}.${word & 0xff}`;
}

function textOfWords(words: readonly number[]): string {
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return `::ffff:${dotted(words[3] ?? 0)}`;
  const [start, end] = longestZeros(words);
  let text = "";
  for (let i = 0; i < 8; i++) {
    if (i === start) {
      text += "::";
      i = end - 1;
    } else {
      text += i === 0 || i === end ? groupAt(words, i).toString(16) : `:${groupAt(words, i).toString(16)}`;
    }
  }
  return text;
}

/** One of the eight 16-bit groups. */
function groupAt(words: readonly number[], i: number): number {
  const word = words[i >> 1] ?? 0;
  return (i & 1) === 0 ? word >>> 16 : word & 0xffff;
}

/** The first of the longest runs of zeros, at least two groups long; from 8 to 8 where there is none. */
function longestZeros(words: readonly number[]): readonly [start: number, end: number] {
  let best: readonly [number, number] = [8, 8];
  let longest = 1;
  let start = 0;
  for (let i = 0; i <= 8; i++) {
    if (i < 8 && groupAt(words, i) === 0) continue;
    if (i - start > longest) [best, longest] = [[start, i], i - start];
    start = i + 1;
  }
  return best;
}
