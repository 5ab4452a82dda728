/** A parsed IP address. A mapped address (`::ffff:1.2.3.4`) is IPv6: the families never mix, as in Envoy. */
export interface Ip {
  readonly family: 4 | 6;
  /** As it was written. */
  readonly text: string;
  /** 32-bit unsigned words in network order: one for IPv4, four for IPv6. */
  readonly words: readonly number[];
}

/**
 * Reads a bare address: no port, no brackets, no zone, no leading zeros in IPv4 (RFC 6943). Undefined when it
 * is none.
 */
export function parseIp(text: string): Ip | undefined {
  if (text.includes(":")) {
    const words = parseV6(text);
    return words === undefined ? undefined : { family: 6, text, words };
  }
  const word = parseV4(text);
  return word === undefined ? undefined : { family: 4, text, words: [word] };
}

/**
 * Reads an address as Envoy reads one that it is told: as `parseIp`, and an IPv6 address may have a zone,
 * which is no part of what policies compare: a number, or behind a link-local address the name of an
 * interface.
 */
export function parseZonedIp(text: string): Ip | undefined {
  const percent = text.indexOf("%");
  if (percent < 0) return parseIp(text);
  const ip = parseIp(text.slice(0, percent));
  if (ip?.family !== 6) return undefined;
  const zone = text.slice(percent + 1);
  return /^[0-9]+$/.test(zone) || (isLinkLocal(ip) && /^[^\s/]+$/.test(zone)) ? ip : undefined;
}

/** fe80::/10 and ff02::/16 with its flags (RFC 4291 sections 2.5.6 and 2.7). */
function isLinkLocal({ words: [first = 0] }: Ip): boolean {
  return (first & 0xffc00000) >>> 0 === 0xfe800000 || (first & 0xff0f0000) >>> 0 === 0xff020000;
}

function parseV4(text: string): number | undefined {
  let word = 0;
  let octet = -1;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x2e) {
      if (octet < 0 || ++dots > 3) return undefined;
      word = word * 256 + octet;
      octet = -1;
    } else if (c >= 0x30 && c <= 0x39) {
      if (octet === 0) return undefined;
      octet = octet < 0 ? c - 0x30 : octet * 10 + c - 0x30;
      if (octet > 255) return undefined;
    } else {
      return undefined;
    }
  }
  return octet < 0 || dots !== 3 ? undefined : word * 256 + octet;
}

function parseV6(text: string): readonly number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(Math.max(missing, 0)).fill(0), ...tail];
  const words: number[] = [];
  for (let i = 0; i < 8; i += 2) words.push((groups[i] ?? 0) * 0x10000 + (groups[i + 1] ?? 0));
  return words;
}

/** 16-bit groups; the last may be a dotted IPv4 address where `last` says that the text ends there. */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (part.includes(".")) {
      const v4 = last && i === parts.length - 1 ? parseV4(part) : undefined;
      if (v4 === undefined) return undefined;
      groups.push(Math.floor(v4 / 0x10000), v4 % 0x10000);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups.length > 8 ? undefined : groups;
}
