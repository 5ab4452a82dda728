import { BuiltinError } from "./builtin.js";
import { ipBytes, ipText, unmapped } from "./ip-address.js";

/** An IP network as Go has it (net.IPNet). */
export interface Network {
  /** 4 or 16 bytes, which may be an IPv4 address too. */
  readonly address: Buffer;
  /** Bits of the mask that are set. */
  readonly prefix: number;
  /** Bits of the mask: 32 or 128. */
  readonly bits: number;
}

/** Go's net.ParseIP. */
export function parseAddress(text: string): Buffer | undefined {
  return ipBytes(text);
}

/** Go's net.ParseCIDR: the network, with the address cut to it. */
export function parseNetwork(text: string): Network | undefined {
  const found = /^([^/]*)\/(\d{1,10})$/.exec(text);
  const address = ipBytes(found?.[1] ?? "");
  if (address === undefined) return undefined;
  const [prefix, bits] = [Number(found?.[2]), address.length * 8];
  return prefix > bits ? undefined : { address: masked(address, prefix), prefix, bits };
}

/** The network of a text; throws a BuiltinError when it is none. */
export function networkOf(text: string): Network {
  const network = parseNetwork(text);
  if (network === undefined) throw new BuiltinError("invalid CIDR address");
  return network;
}

/** The address with zeros behind the first bits. */
export function masked(address: Buffer, prefix: number): Buffer {
  return Buffer.from(address.map((byte, i) => byte & maskByte(prefix, i)));
}

function maskByte(prefix: number, index: number): number {
  return (0xff00 >> Math.min(8, Math.max(0, prefix - 8 * index))) & 0xff;
}

/** The last address of a network. */
export function lastOf({ address, prefix }: Network): Buffer {
  return Buffer.from(address.map((byte, i) => byte | (~maskByte(prefix, i) & 0xff)));
}

/** Whether an address is in a network; IPv4 addresses are the same in both their forms. */
export function contains(network: Network, address: Buffer): boolean {
  const own = unmapped(network.address);
  const other = unmapped(address);
  if (own.length !== other.length) return false;
  const prefix = own.length === 4 && network.bits === 128 ? network.prefix - 96 : network.prefix;
  return own.every((byte, i) => ((byte ^ (other[i] ?? 0)) & maskByte(prefix, i)) === 0);
}

/** Whether all addresses of the one network are in the other. */
export function containsNetwork(network: Network, other: Network): boolean {
  if (isPlainIpv6(network) && isPlainIpv6(other)) {
    return network.prefix <= other.prefix && network.address.equals(masked(other.address, network.prefix));
  }
  return contains(network, other.address) && contains(network, lastOf(other));
}

function isPlainIpv6({ address, bits }: Network): boolean {
  return bits === 128 && unmapped(address).length === 16;
}

/** `10.0.0.0/8`; of IPv4 also where the address is mapped. */
export function networkText({ address, prefix, bits }: Network): string {
  const short = unmapped(address);
  return `${ipText(short)}/${short.length === 4 && bits === 128 ? prefix - 96 : prefix}`;
}
