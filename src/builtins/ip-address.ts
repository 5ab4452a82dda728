/** The 4 or 16 bytes of an IP address without a zone (Go's netip.ParseAddr); undefined when it is none. */
export function ipBytes(text: string): Buffer | undefined {
  return text.includes(":") ? ipv6Bytes(text) : ipv4Bytes(text);
}

function ipv4Bytes(text: string): Buffer | undefined {
  const parts = text.split(".");
  const fine = parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256);
  return parts.length === 4 && fine ? Buffer.from(parts.map(Number)) : undefined;
}

function ipv6Bytes(text: string): Buffer | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = [groupsOf(halves[0] ?? "", halves.length === 1), groupsOf(halves[1] ?? "", true)];
  if (head === undefined || tail === undefined) return undefined;
  const zeros = 16 - head.length - tail.length;
  if (halves.length === 1 ? zeros !== 0 : zeros < 2) return undefined;
  return Buffer.concat([head, Buffer.alloc(zeros), tail]);
}

/** The bytes of `1:2:3`; the last group may be an IPv4 address where that is the end. */
function groupsOf(text: string, atEnd: boolean): Buffer | undefined {
  if (text === "") return Buffer.alloc(0);
  const groups = text.split(":");
  const bytes = groups.map((group, i) => {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) return Buffer.from(group.padStart(4, "0"), "hex");
    return atEnd && i === groups.length - 1 ? ipv4Bytes(group) : undefined;
  });
  return bytes.every((part) => part !== undefined) ? Buffer.concat(bytes) : undefined;
}

const mapped = Buffer.from("00000000000000000000ffff", "hex");

/** The address without the prefix that an IPv4 address has as one of 16 bytes. */
export function unmapped(bytes: Buffer): Buffer {
  return bytes.length === 16 && bytes.subarray(0, 12).equals(mapped) ? bytes.subarray(12) : bytes;
}

/** The text of an address (Go's net.IP): an IPv4 address also where it is mapped, IPv6 by RFC 5952. */
export function ipText(address: Buffer): string {
  const bytes = unmapped(address);
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i));
  let [start, length] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (groups[end] === 0) end++;
    if (end - i > length) [start, length] = [i, end - i];
  }
  const hex = groups.map((group) => group.toString(16));
  if (start < 0) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}
