import { type Attributes, type Ip, parseIp, parseSpiffeId, type Workload } from "../attributes/index.js";
import type { Endpoint, ServiceEntry } from "./registry-kinds.js";

/** A resource of the registry with its name. */
export interface Named<Spec> {
  readonly namespace: string;
  readonly name: string;
  readonly spec: Spec;
}

interface Entry {
  readonly endpoint: Endpoint;
  readonly workload: Workload;
}

/**
 * Finds the workload at a request's destination: by the principal of the server's certificate, else by
 * address and port. Where several are told apart by neither and are not alike, there is no answer: none is
 * better than a wrong one.
 */
export function buildRegistry(
  workloads: readonly Named<Endpoint>[],
  services: readonly Named<ServiceEntry>[],
  trustDomains: ReadonlySet<string>,
): (attributes: Attributes) => Workload | undefined {
  const byAccount = new Map<string, Entry[]>();
  const byAddress = new Map<string, Entry[]>();
  const selecting = new Map<string, Named<ServiceEntry>[]>();
  for (const service of services) {
    if (service.spec.workloadSelector !== undefined) push(selecting, service.namespace, service);
  }
  const own = workloads.map((workload) => fromWorkload(workload, selecting.get(workload.namespace) ?? []));
  for (const entry of [...own, ...services.flatMap(fromService)]) {
    const { endpoint, workload } = entry;
    if (endpoint.serviceAccount !== "") {
      push(byAccount, `${workload.namespace}/${endpoint.serviceAccount}`, entry);
    }
    const ip = parseIp(endpoint.address);
    if (ip !== undefined) push(byAddress, addressKey(ip), entry);
  }
  if (byAccount.size === 0 && byAddress.size === 0) return () => undefined;
  return ({ destination, unsent }) => {
    // Whose policies they are is not known then: other ones must not judge in their place.
    if (unsent?.destination !== undefined) throw unsent.destination;
    const at = destination.ip && byAddress.get(addressKey(destination.ip));
    const here = at === undefined ? [] : listening(at, destination.port);
    const id = destination.principal === "" ? undefined : parseSpiffeId(destination.principal);
    if (id !== undefined && trustDomains.has(id.trustDomain)) {
      const same = byAccount.get(`${id.namespace}/${id.serviceAccount}`);
      if (same !== undefined) return only(same) ?? only(same.filter((entry) => here.includes(entry)));
    }
    return only(here);
  };
}

function fromWorkload(
  { namespace, name, spec }: Named<Endpoint>,
  services: readonly Named<ServiceEntry>[],
): Entry {
  const serving = services.filter((service) => isSelected(spec.labels, service.spec.workloadSelector));
  return {
    endpoint: spec,
    workload: toWorkload(namespace, name, spec, serving),
  };
}

function fromService(service: Named<ServiceEntry>): Entry[] {
  return service.spec.endpoints.map((endpoint) => ({
    endpoint,
    workload: toWorkload(service.namespace, "", endpoint, [service]),
  }));
}

function toWorkload(
  namespace: string,
  name: string,
  { labels }: Endpoint,
  services: readonly Named<ServiceEntry>[],
): Workload {
  return {
    namespace,
    name,
    type: "sidecar",
    labels: new Map(Object.entries(labels)),
    services: services.flatMap((service) =>
      service.spec.hosts.map((host) => ({ name: service.name, namespace: service.namespace, host })),
    ),
  };
}

function isSelected(
  labels: Readonly<Record<string, string>>,
  selector: Readonly<Record<string, string>> | undefined,
): boolean {
  if (selector === undefined) return false;
  return Object.entries(selector).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}

/** Entries that name the port, else those that name none. */
function listening(entries: readonly Entry[], port: number): readonly Entry[] {
  const exact = entries.filter(({ endpoint }) => endpoint.ports.includes(port));
  return exact.length > 0 ? exact : entries.filter(({ endpoint }) => endpoint.ports.length === 0);
}

/** The workload, if all entries are the same as far as policies can tell. */
function only(entries: readonly Entry[]): Workload | undefined {
  const first = entries[0]?.workload;
  if (first === undefined || entries.every(({ workload }) => alike(workload, first))) return first;
  return undefined;
}

function alike(a: Workload, b: Workload): boolean {
  return (
    a === b ||
    (a.namespace === b.namespace &&
      a.labels.size === b.labels.size &&
      [...a.labels].every(([key, value]) => b.labels.get(key) === value) &&
      JSON.stringify(a.services) === JSON.stringify(b.services))
  );
}

function addressKey({ words }: Ip): string {
  return words.join();
}

function push<T>(map: Map<string, T[]>, key: string, item: T): void {
  const items = map.get(key);
  if (items === undefined) map.set(key, [item]);
  else items.push(item);
}
