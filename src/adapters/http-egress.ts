import { type LookupAddress, lookup as systemLookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { GatehouseError } from "../diagnostics/index.js";
import { HttpFailure } from "./http-failure.js";

/** `Mesh.spec.egress`: each list that is not empty must be passed, beside what is always refused. */
export interface EgressOptions {
  /** Lower-case names or addresses; `*.example.com` is every name below it. Empty: any. */
  readonly allowHosts: readonly string[];
  /** Networks or single addresses that may be connected to. Empty: any. */
  readonly allowCidrs: readonly string[];
  /** Refuses loopback, private and shared address space too. */
  readonly denyPrivate: boolean;
}

/** Nothing but what is always refused. */
export const openEgress: EgressOptions = { allowHosts: [], allowCidrs: [], denyPrivate: false };

/** How names become addresses; every answer is asked for with `all`. */
export type Resolve = (
  host: string,
  options: { readonly all: true; readonly family?: number; readonly hints?: number },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** Says where we may connect to. */
export interface Egress {
  /** By the name, before anything is resolved; an address as name is also judged as address. */
  readonly allowsHost: (host: string) => boolean;
  readonly allowsAddress: (address: string) => boolean;
  /**
   * For `net.connect`: gives only allowed addresses, so that the one connected to is the one that was judged.
   */
  readonly lookup: LookupFunction;
}

// "this network" with the unspecified address, link-local (cloud metadata), multicast, broadcast
const never = ["0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"];
const never6 = ["::/128", "fe80::/10", "ff00::/8"];
const inside = ["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
const inside6 = ["::1/128", "fc00::/7", "fec0::/10"];

/** Compiles the options. Throws for a network that is none. */
export function createEgress(
  options: EgressOptions = openEgress,
  resolve: Resolve = (host, how, callback) => systemLookup(host, how, callback),
): Egress {
  const refused = networks([...never, ...never6, ...never.map(translated)]);
  if (options.denyPrivate) addAll(refused, [...inside, ...inside6, ...inside.map(translated)]);
  const allowed = options.allowCidrs.length === 0 ? undefined : networks(options.allowCidrs);
  const names = options.allowHosts.map(hostName);

  const allowsAddress = (address: string): boolean => {
    const family = isIP(address);
    if (family === 0 || address.includes("%")) return false;
    const type = family === 4 ? "ipv4" : "ipv6";
    return !refused.check(address, type) && (allowed === undefined || allowed.check(address, type));
  };
  const allowsHost = (host: string): boolean => {
    const name = hostName(host);
    const named = names.length === 0 || names.some((pattern) => covers(pattern, name));
    return named && (isIP(name) === 0 || allowsAddress(name));
  };
  const lookup: LookupFunction = (host, how, callback) => {
    const family = typeof how.family === "number" ? how.family : 0;
    resolve(host, { all: true, family, hints: how.hints ?? 0 }, (error, addresses) => {
      if (error !== null) return callback(error, "", 0);
      const usable = addresses.filter(({ address }) => allowsAddress(address));
      const first = usable[0];
      if (first === undefined) {
        return callback(new HttpFailure("egress", `no address of \`${host}\` may be connected to`), "", 0);
      }
      if (how.all === true) callback(null, usable);
      else callback(null, first.address, first.family);
    });
  };
  return { allowsHost, allowsAddress, lookup };
}

/** The same IPv4 network behind a NAT64 gateway (RFC 6052, well-known prefix). */
function translated(cidr: string): string {
  const [network, bits] = cidr.split("/");
  return `64:ff9b::${network}/${96 + Number(bits)}`;
}

function networks(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  addAll(list, cidrs);
  return list;
}

function addAll(list: BlockList, cidrs: readonly string[]): void {
  for (const cidr of cidrs) {
    const [network = "", bits, ...rest] = cidr.split("/");
    const family = isIP(network);
    const most = family === 4 ? 32 : 128;
    const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
    if (family === 0 || rest.length > 0 || length < 0 || length > most) {
      throw new GatehouseError("http", `bad network \`${cidr}\`, expected an address or ADDRESS/BITS`);
    }
    list.addSubnet(network, length, family === 4 ? "ipv4" : "ipv6");
  }
}

/** Lower case, without the brackets of IPv6 and without one trailing dot. */
function hostName(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "");
}

function covers(pattern: string, name: string): boolean {
  return pattern.startsWith("*.") ? name.endsWith(pattern.slice(1)) : name === pattern;
}
