import type { Reporter } from "../report/index.js";
import type { Span } from "./span.js";

const known = new WeakMap<Reporter, Span["resource"]>();

/** Who made the spans of a proxy: always the same object for one reporter. */
export function resourceOf(reporter: Reporter): Span["resource"] {
  let resource = known.get(reporter);
  if (resource === undefined) {
    resource = describe(reporter);
    known.set(reporter, resource);
  }
  return resource;
}

/**
 * `service.name` is what Istio gives Envoy's tracer: the node's cluster, that is `CANONICAL_SERVICE.NAMESPACE`. The other
 * names are those of OpenTelemetry's conventions.
 */
function describe({ id, cluster, party }: Reporter): Span["resource"] {
  const namespace = party?.workload.namespace ?? "";
  const canonical = party?.canonicalService ?? "";
  const service = cluster !== "" ? cluster : [canonical, namespace].filter((part) => part !== "").join(".");
  const pod = podOf(id);
  const attributes: [string, string][] = [
    ["service.name", service === "" ? "unknown_service" : service],
    ["service.namespace", namespace],
    ["service.version", party?.canonicalRevision ?? ""],
    ["service.instance.id", id],
    ["k8s.namespace.name", pod === "" ? "" : namespace],
    ["k8s.pod.name", pod],
    ["k8s.cluster.name", party?.cluster ?? ""],
  ];
  return Object.fromEntries(attributes.filter(([, value]) => value !== ""));
}

/** Istio's node ids are `TYPE~IP~POD.NAMESPACE~DOMAIN`; empty of any other. */
function podOf(nodeId: string): string {
  const parts = nodeId.split("~");
  const [, , pod = ""] = parts;
  const end = pod.lastIndexOf(".");
  return parts.length === 4 && end > 0 ? pod.slice(0, end) : "";
}
