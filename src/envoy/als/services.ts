import { LRUCache } from "lru-cache";
import { type JsonValue, member, type ServiceRef, type Workload } from "../../attributes/index.js";
import { said } from "./tags.js";

/** Distinct services that are remembered by what proxies say of them. */
const maxServices = 10_000;
/** Characters of texts that callers and proxies choose, in each memory. */
const maxCharacters = 4 * 1_048_576;

/** Which service was called. The same facts give the same object. */
export interface Services {
  /** Of custom tags named as Istio's labels: `destination_service`, `_name`, `_namespace`. */
  ofTags(tags: ReadonlyMap<string, string>): ServiceRef | undefined;
  /** Of Istio's cluster metadata, as JSON: `[{"host": …, "name": …, "namespace": …}]`. */
  ofCluster(json: string): ServiceRef | undefined;
  /** Of Istio's name of a cluster: `outbound|PORT|SUBSET|HOST`. */
  ofClusterName(name: string): ServiceRef | undefined;
  /** Of several that the workload serves the one that the request named, else the first. */
  ofWorkload(workload: Workload, authority: string): ServiceRef | undefined;
  /** Whatever the client called it. */
  ofHost(authority: string): ServiceRef | undefined;
}

/** By texts as they came: to put a new one together for each entry would cost more than all else here. */
type Memory = LRUCache<string, { readonly service: ServiceRef | undefined }>;

/** An empty memory of services. */
export function createServices(): Services {
  const byTags = createMemory();
  const byMetadata = createMemory();
  const byCluster = createMemory();
  const byHost = createMemory();

  return {
    ofTags(tags) {
      const host = said(tags.get("destination_service"));
      const name = said(tags.get("destination_service_name"));
      if (host === "" && name === "") return undefined;
      const namespace = said(tags.get("destination_service_namespace"));
      return remember(byTags, `${host}\0${name}\0${namespace}`, () => {
        const known = ofName(host);
        return { name: name || known.name, namespace: namespace || known.namespace, host };
      });
    },
    ofCluster(json) {
      return json === "" || json === "-" ? undefined : remember(byMetadata, json, () => firstOf(json));
    },
    ofClusterName(cluster) {
      if (!cluster.startsWith("outbound|")) return undefined;
      return remember(byCluster, cluster, () => {
        const host = cluster.split("|")[3] ?? "";
        return host === "" ? undefined : ofName(host);
      });
    },
    ofWorkload({ services: served }, authority) {
      if (served.length <= 1) return served[0];
      const host = hostOf(authority);
      return served.find((service) => service.host === host) ?? served[0];
    },
    ofHost(authority) {
      const host = hostOf(authority);
      return host === "" ? undefined : remember(byHost, host, () => ofName(host));
    },
  };
}

function createMemory(): Memory {
  return new LRUCache({
    max: maxServices,
    maxSize: maxCharacters,
    sizeCalculation: (_, key) => Math.max(1, key.length),
  });
}

function remember(memory: Memory, key: string, read: () => ServiceRef | undefined): ServiceRef | undefined {
  const known = memory.get(key);
  if (known !== undefined) return known.service;
  const service = read();
  memory.set(key, { service });
  return service;
}

/** Kubernetes' names tell name and namespace; others are a name themselves. */
function ofName(host: string): ServiceRef {
  const [name = "", namespace = "", svc] = host.split(".");
  return svc === "svc" ? { name, namespace, host } : { name: host, namespace: "", host };
}

function firstOf(json: string): ServiceRef | undefined {
  let services: JsonValue;
  try {
    services = JSON.parse(json) as JsonValue;
  } catch {
    return undefined;
  }
  const first = Array.isArray(services) ? (services[0] as JsonValue | undefined) : undefined;
  const [host, name, namespace] = [member(first, "host"), member(first, "name"), member(first, "namespace")];
  if (typeof host !== "string" || host === "") return undefined;
  const known = ofName(host);
  return {
    name: typeof name === "string" && name !== "" ? name : known.name,
    namespace: typeof namespace === "string" && namespace !== "" ? namespace : known.namespace,
    host,
  };
}

/** Without its port, in lower case. */
function hostOf(authority: string): string {
  const colon = authority.lastIndexOf(":");
  const hasPort = colon > authority.lastIndexOf("]");
  return (hasPort ? authority.slice(0, colon) : authority).toLowerCase();
}
