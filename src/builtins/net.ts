import { collectionAt, stringAt } from "./arguments.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { ipText } from "./ip-address.js";
import { LimitError } from "./limit.js";
import {
  contains,
  containsNetwork,
  lastOf,
  type Network,
  networkOf,
  parseAddress,
  parseNetwork,
} from "./network.js";
import { mergedNetworks } from "./network-merge.js";
import { integer } from "./number.js";
import { isArray, isObject, isSet, setOf, type Value } from "./value.js";

/** IP networks (v1/topdown/cidr.go). */
export const net: Builtins = {
  "net.cidr_contains": (args) => cidrContains(stringAt(args, 0), stringAt(args, 1)),
  "net.cidr_contains_matches": containsMatches,
  "net.cidr_expand": (args) => expand(stringAt(args, 0)),
  "net.cidr_intersects": (args) => {
    const [a, b] = [networkOf(stringAt(args, 0)), networkOf(stringAt(args, 1))];
    return contains(a, b.address) || contains(b, a.address);
  },
  "net.cidr_is_valid": ([value = null]) => typeof value === "string" && parseNetwork(value) !== undefined,
  "net.cidr_merge": merge,
  "net.cidr_overlap": (args) => cidrContains(stringAt(args, 0), stringAt(args, 1)),
};

function cidrContains(cidr: string, addressOrCidr: string): boolean {
  return isInside(networkOf(cidr), inner(addressOrCidr));
}

/** An address or else a network, whose fault is found when it is asked for. */
interface Inner {
  readonly address: Buffer | undefined;
  readonly network: () => Network;
}

function inner(text: string): Inner {
  const network = parseNetwork(text);
  return { address: parseAddress(text), network: () => network ?? networkOf(text) };
}

function isInside(network: Network, { address, network: other }: Inner): boolean {
  return address === undefined ? containsNetwork(network, other()) : contains(network, address);
}

/** Addresses that are written out; OPA goes on until it is cancelled. */
const maxAddresses = 65_536;

function expand(cidr: string): Value {
  const network = networkOf(cidr);
  const count = 2 ** (network.bits - network.prefix);
  if (count > maxAddresses) throw new LimitError(`network of more than ${maxAddresses} addresses`);
  const addresses: string[] = [];
  const last = lastOf(network);
  const at = Buffer.from(network.address);
  for (;;) {
    addresses.push(ipText(at));
    // All are ASCII, whose order is that of JavaScript.
    if (at.equals(last)) return new Set(addresses.sort());
    for (let i = at.length - 1; i >= 0; i--) {
      at[i] = ((at[i] ?? 0) + 1) & 0xff;
      if (at[i] !== 0) break;
    }
  }
}

/** Networks that are compared with each other. */
const maxPairs = 100_000;

/** Pairs of keys, indices or members of which the one's network contains the other's. */
function containsMatches(args: readonly Value[]): Value {
  const [left, right] = [elementsOf(args[0] ?? null), elementsOf(args[1] ?? null)];
  if (left.length * right.length > maxPairs) throw new LimitError(`more than ${maxPairs} pairs of networks`);
  const known = new Map<string, Inner>();
  const read = (text: string): Inner => {
    const found = known.get(text) ?? inner(text);
    known.set(text, found);
    return found;
  };
  const pairs: Value[] = [];
  for (const [cidrOf, index] of left) {
    const cidr = cidrOf();
    for (const [otherOf, otherIndex] of right) {
      const [outer, other] = [read(stringAt([cidr], 0)), read(stringAt([otherOf()], 0))];
      if (isInside(outer.network(), other)) pairs.push([index, otherIndex]);
    }
  }
  return setOf(pairs);
}

/** Each network, read when it is needed first, with what stands for it. */
type Elements = readonly (readonly [() => Value, Value])[];

function elementsOf(value: Value): Elements {
  if (typeof value === "string") return [[() => value, value]];
  if (isArray(value)) return value.map((item, i) => [() => elementOf(item), integer(BigInt(i))]);
  if (isSet(value)) return [...value].map((item) => [() => elementOf(item), item]);
  if (isObject(value)) return [...value].map(([key, item]) => [() => elementOf(item), key]);
  return [];
}

/** A network, or an array that begins with one. */
function elementOf(item: Value): Value {
  const first = isArray(item) ? item[0] : item;
  if (first === undefined || (first === item && typeof first !== "string")) {
    throw new BuiltinError("element must be string or non-empty array");
  }
  return first;
}

function merge(args: readonly Value[]): Value {
  const texts = collectionAt(args, 0).map((item) => {
    if (typeof item !== "string") throw new BuiltinError("element must be string");
    return item;
  });
  return setOf(mergedNetworks(texts));
}
