import { BuiltinError } from "./builtin.js";
import { unmapped } from "./ip-address.js";
import { masked, type Network, networkText, parseAddress, parseNetwork } from "./network.js";

/** Addresses from one to another, as integers of 128 bits, in which IPv4 is `::ffff:0:0/96`. */
interface Range {
  readonly first: bigint;
  readonly last: bigint;
  /** The network that it is, as it was written; undefined when it was made of several. */
  readonly network: Network | undefined;
}

/**
 * The fewest networks that have the very addresses of the given networks and addresses (`net.cidr_merge`).
 * Networks of mapped IPv4 addresses (`::ffff:10.0.0.0/104`) stay what they are, as nearly always in OPA.
 */
export function mergedNetworks(texts: readonly string[]): readonly string[] {
  const networks = texts.map(elementOf);
  const single = networks.filter(isMapped);
  return [...single.map(networkText), ...merged(networks.filter((network) => !isMapped(network)))];
}

function isMapped({ address, bits }: Network): boolean {
  return bits === 128 && unmapped(address).length === 4;
}

function merged(networks: readonly Network[]): readonly string[] {
  const ranges = networks.map(rangeOf).sort(compare);
  for (let i = ranges.length - 1; i > 0; i--) {
    const [range, before] = [ranges[i], ranges[i - 1]];
    if (range === undefined || before === undefined || previous(range.first) > before.last) continue;
    // biome-ignore lint/complexity/useMathMinMax: Math.min takes no bigint
    const first = before.first < range.first ? before.first : range.first;
    ranges.splice(i - 1, 2, { first, last: range.last, network: undefined });
  }
  return ranges.flatMap(({ first, last, network }) =>
    network === undefined ? decomposed(first, last) : [networkText(network)],
  );
}

function compare(a: Range, b: Range): number {
  if (a.last !== b.last) return a.last < b.last ? -1 : 1;
  return a.first === b.first ? 0 : a.first < b.first ? -1 : 1;
}

/** An IPv4 address stands for the network of its class, as OPA has it; IPv6 addresses need a prefix. */
function elementOf(text: string): Network {
  const address = parseAddress(text);
  if (address === undefined) {
    const network = parseNetwork(text);
    if (network === undefined) throw new BuiltinError("invalid CIDR address");
    return network;
  }
  const short = unmapped(address);
  if (short.length !== 4) throw new BuiltinError("IPv6 invalid: needs prefix length");
  const first = short[0] ?? 0;
  return { address: short, prefix: first < 0x80 ? 8 : first < 0xc0 ? 16 : 24, bits: 32 };
}

const ipv4: bigint = 0xffffn << 32n;
const ipv4End: bigint = ipv4 | 0xffff_ffffn;

function rangeOf(network: Network): Range {
  const { address, prefix, bits } = network;
  const start = BigInt(`0x${masked(address, prefix).toString("hex")}`) + (address.length === 4 ? ipv4 : 0n);
  return { first: start, last: start | ((1n << BigInt(bits - prefix)) - 1n), network };
}

/** There is none before the first of each family. */
function previous(address: bigint): bigint {
  return address === 0n || address === ipv4 ? address : address - 1n;
}

function decomposed(first: bigint, last: bigint): readonly string[] {
  const isIpv4 = first >= ipv4 && last <= ipv4End;
  const bits = isIpv4 ? 32 : 128;
  const networks: string[] = [];
  for (let at = first; at <= last; ) {
    let size = 0;
    while (size < bits && (at & (1n << BigInt(size))) === 0n && at + (2n << BigInt(size)) - 1n <= last)
      size++;
    const address = Buffer.from(at.toString(16).padStart(32, "0"), "hex");
    const short = isIpv4 ? address.subarray(12) : address;
    networks.push(networkText({ address: short, prefix: bits - size, bits }));
    at += 1n << BigInt(size);
  }
  return networks;
}
