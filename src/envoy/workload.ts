import type { ServiceRef, Workload, WorkloadType } from "../attributes/index.js";
import { parseSpiffeId } from "../attributes/index.js";

type Extensions = Readonly<Record<string, string>>;

const types: readonly WorkloadType[] = ["sidecar", "gateway", "waypoint"];
const labelKey = /^destination\.labels\[(.+)\]$/;

/**
 * The destination workload that the route's or filter's `context_extensions` name; undefined when they name
 * no namespace. Throws for a type that is none.
 */
export function workloadFromExtensions(extensions: Extensions): Workload | undefined {
  const namespace = own(extensions, "destination.namespace");
  if (namespace === "") return undefined;
  const type = own(extensions, "destination.workload.type") || "sidecar";
  if (!isWorkloadType(type))
    throw new Error(`unknown workload type \`${type}\`, expected ${types.join(", ")}`);
  const labels = new Map<string, string>();
  for (const [key, value] of Object.entries(extensions)) {
    const label = labelKey.exec(key)?.[1];
    if (label !== undefined) labels.set(label, value);
  }
  return {
    namespace,
    name: own(extensions, "destination.workload.name"),
    type,
    labels,
    services: services(extensions, namespace),
  };
}

/**
 * The workload that Envoy's own labels (`bootstrap_metadata_labels_key`) describe, in the namespace of the
 * server's certificate; undefined without either.
 */
export function workloadFromPeer(labels: Extensions | undefined, principal: string): Workload | undefined {
  const id = parseSpiffeId(principal);
  if (labels === undefined || id === undefined) return undefined;
  const entries = Object.entries(labels);
  if (entries.length === 0) return undefined;
  return { namespace: id.namespace, name: "", type: "sidecar", labels: new Map(entries), services: [] };
}

function services(extensions: Extensions, namespace: string): readonly ServiceRef[] {
  const name = own(extensions, "destination.service.name");
  const host = own(extensions, "destination.service.host");
  if (name === "" && host === "") return [];
  return [{ name, namespace: own(extensions, "destination.service.namespace") || namespace, host }];
}

function isWorkloadType(text: string): text is WorkloadType {
  return (types as readonly string[]).includes(text);
}

/** The own value of a key, empty when absent: `constructor` is an ordinary key here. */
export function own(extensions: Extensions, key: string): string {
  return Object.hasOwn(extensions, key) ? (extensions[key] ?? "") : "";
}
