import type { Attributes, Peer, ServiceRef, Workload } from "../../attributes/index.js";
import type { Snapshot } from "../../engine/index.js";
import type { Party, Reporter, ReportSide } from "../../report/index.js";
import type { Entry } from "./entry.js";
import { type Parties, tagNames } from "./parties.js";
import type { Services } from "./services.js";

/** What of the configuration in force tells workloads. */
export type Registry = Pick<Snapshot, "lookup" | "mesh">;

/** Who called whom. */
export interface Ends {
  readonly source: Party | undefined;
  readonly destination: Party | undefined;
  readonly service: ServiceRef | undefined;
}

const sourceTags = tagNames("source");
const destinationTags = tagNames("destination");

/** On which side of the call the proxy stands. */
export function sideOf({ customTags, upstreamCluster }: Entry, { id }: Reporter): ReportSide {
  const said = customTags.get("reporter");
  if (said === "source") return "client";
  if (said === "destination" || said === "waypoint") return "server";
  // `%CEL(xds.listener_direction)%`: Envoy's TrafficDirection.
  const direction = customTags.get("listener_direction");
  if (direction === "1") return "server";
  if (direction === "2") return "client";
  if (upstreamCluster.startsWith("inbound|")) return "server";
  if (upstreamCluster.startsWith("outbound|")) return "client";
  return id.startsWith("router~") ? "client" : "server";
}

/** Finds both ends of a call; of each the first that says anything supplies all. */
export function endsOf(
  call: {
    readonly entry: Entry;
    readonly attributes: Attributes;
    readonly side: ReportSide;
    readonly reporter: Reporter;
    readonly upstream: Peer;
  },
  registry: Registry | undefined,
  memory: { readonly parties: Parties; readonly services: Services; readonly hostFallback: boolean },
): Ends {
  const { entry, attributes, side, reporter, upstream } = call;
  const { parties, services, hostFallback } = memory;
  const { customTags } = entry;
  const isServer = side === "server";

  const registered = (peer: Peer): Workload | undefined =>
    registry?.lookup(peer === attributes.destination ? attributes : { ...attributes, destination: peer });
  const partyOf = (workload: Workload | undefined): Party | undefined =>
    workload === undefined ? undefined : parties.ofWorkload(workload);

  const source =
    parties.ofTags(customTags, sourceTags) ??
    (isServer ? undefined : reporter.party) ??
    parties.ofEndpoint(customTags.get("source_peer") ?? "") ??
    // The port is any; the registry takes it for one that is listened on.
    partyOf(registered({ ...attributes.source, port: 0 })) ??
    parties.ofPrincipal(attributes.source.principal);

  const destinationPrincipal = isServer
    ? attributes.destination.principal
    : (customTags.get("destination_principal") ?? "");
  const local = isServer ? attributes.destination : { ...upstream, principal: destinationPrincipal };
  let atRegistry: Workload | undefined;
  let asked = false;
  const destinationRegistered = (): Workload | undefined => {
    if (!asked) [atRegistry, asked] = [registered(local), true];
    return atRegistry;
  };
  const destination =
    parties.ofTags(customTags, destinationTags) ??
    (isServer ? reporter.party : undefined) ??
    parties.ofEndpoint(customTags.get("destination_peer") ?? "") ??
    partyOf(destinationRegistered() ?? (isServer ? registry?.mesh.defaultWorkload : undefined)) ??
    parties.ofPrincipal(destinationPrincipal);

  const authority = attributes.request?.host ?? "";
  const servedBy = (workload: Workload | undefined): ServiceRef | undefined =>
    workload === undefined ? undefined : services.ofWorkload(workload, authority);
  const service =
    services.ofTags(customTags) ??
    services.ofCluster(customTags.get("destination_services") ?? "") ??
    services.ofClusterName(entry.upstreamCluster) ??
    servedBy(destination?.workload) ??
    servedBy(destinationRegistered()) ??
    (hostFallback ? services.ofHost(authority) : undefined);

  return { source, destination, service };
}
