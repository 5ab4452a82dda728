import { LRUCache } from "lru-cache";
import type { Workload } from "../../attributes/index.js";
import { orRefuse } from "../or-refuse.js";
import { workloadFromExtensions } from "../workload.js";
import { noXff, type XffOverride, xffOverride } from "../xff.js";

/**
 * gRPC initial metadata of a stream: the first value of each key, lower-case. The filter's `grpc_service` and the route's
 * overrides set it, so it is Envoy's configuration; no client's header gets there.
 */
export type InitialMetadata = ReadonlyMap<string, string>;

/** What the initial metadata say of the destination. */
export interface Destination {
  /** As ext_authz has it in `context_extensions`. */
  readonly extensions: Readonly<Record<string, string>>;
  readonly workload: Workload | undefined;
  readonly xff: XffOverride;
}

/** Distinct destinations remembered; they are part of Envoy's configuration, so few. */
const maxDestinations = 10_000;

/** Of all keys. */
const prefix = "gatehouse-";

/** The keys, and what ext_authz calls the same. */
const keys: ReadonlyMap<string, string> = new Map([
  ["gatehouse-destination-namespace", "destination.namespace"],
  ["gatehouse-destination-workload-name", "destination.workload.name"],
  ["gatehouse-destination-workload-type", "destination.workload.type"],
  ["gatehouse-destination-service-name", "destination.service.name"],
  ["gatehouse-destination-service-namespace", "destination.service.namespace"],
  ["gatehouse-destination-service-host", "destination.service.host"],
  ["gatehouse-xff-use-remote-address", "xff.use_remote_address"],
  ["gatehouse-xff-num-trusted-hops", "xff.num_trusted_hops"],
]);

/**
 * `app=web,version=v1`: labels have no keys of their own, since a key of gRPC metadata is lower-case and has no slash.
 * What stands in a name or value beside letters, digits, `-`, `_`, `.` and `/` may be percent-encoded.
 */
const labelsKey = "gatehouse-destination-labels";

const noDestination: Destination = { extensions: {}, workload: undefined, xff: noXff };

/**
 * A reader with its own memory: the same destination gives the same workload object, by which plans are remembered.
 * Throws a GatehouseError `bad_request` where the metadata cannot be read.
 */
export function createDestinationReader(): (metadata: InitialMetadata) => Destination {
  const known = new LRUCache<string, Destination>({ max: maxDestinations });
  return (metadata) => {
    let key = "";
    for (const [name, value] of metadata) if (name.startsWith(prefix)) key += `${name}=${value}\n`;
    if (key === "") return noDestination;
    const seen = known.get(key);
    if (seen !== undefined) return seen;
    const found = orRefuse("destination workload", () => read(metadata));
    known.set(key, found);
    return found;
  };
}

function read(metadata: InitialMetadata): Destination {
  const extensions = new Map<string, string>();
  for (const [name, extension] of keys) {
    const value = metadata.get(name);
    if (value !== undefined) extensions.set(extension, value);
  }
  for (const [name, value] of labelsOf(metadata.get(labelsKey) ?? "")) {
    extensions.set(`destination.labels[${name}]`, value);
  }
  if (extensions.size === 0) return noDestination;
  const object = Object.fromEntries(extensions);
  return { extensions: object, workload: workloadFromExtensions(object), xff: xffOverride(object) };
}

function labelsOf(text: string): (readonly [name: string, value: string])[] {
  if (text === "") return [];
  return text.split(",").map((label) => {
    const at = label.indexOf("=");
    if (at < 1) throw new Error("labels cannot be read, expected `app=web,version=v1`");
    return [decodeURIComponent(label.slice(0, at).trim()), decodeURIComponent(label.slice(at + 1).trim())];
  });
}
