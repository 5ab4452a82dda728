import { Buffer } from "node:buffer";
import { toText } from "../attributes/index.js";
import type { Party, Report } from "./report.js";

/** Labels of every standard metric, in the order of Istio's filter. */
const peerLabels = [
  "reporter",
  "source_workload",
  "source_canonical_service",
  "source_canonical_revision",
  "source_workload_namespace",
  "source_principal",
  "source_app",
  "source_version",
  "source_cluster",
  "destination_workload",
  "destination_workload_namespace",
  "destination_principal",
  "destination_app",
  "destination_version",
  "destination_service",
  "destination_canonical_service",
  "destination_canonical_revision",
  "destination_service_name",
  "destination_service_namespace",
  "destination_cluster",
] as const;

/** What a standard metric counts: requests, connections, or the messages of gRPC, which say less of the request. */
export type LabelKind = "http" | "tcp" | "messages";

/** The labels of each kind, in the order of their values. */
export const istioLabels: Readonly<Record<LabelKind, readonly string[]>> = {
  http: [
    ...peerLabels,
    "request_protocol",
    "response_code",
    "grpc_response_status",
    "response_flags",
    "connection_security_policy",
  ],
  tcp: [...peerLabels, "request_protocol", "response_flags", "connection_security_policy"],
  messages: peerLabels,
};

const UNKNOWN = "unknown";

/** All that the labels depend on but for the parties and the service. */
export interface LabelFacts {
  readonly reporter: "source" | "destination" | "waypoint";
  /** Of the certificates; empty when there is none. */
  readonly sourcePrincipal: string;
  readonly destinationPrincipal: string;
  readonly security: "mutual_tls" | "none" | "unknown";
  /** Istio's name for a destination that no service stands for; else empty. */
  readonly serviceName: string;
  readonly protocol: "http" | "grpc" | "tcp";
  readonly code: string;
  readonly grpcStatus: string;
  readonly flags: string;
}

/**
 * An entry tells of the certificates towards the client only; those towards the upstream may come as custom tags named as
 * the labels, such as `destination_principal` of `%UPSTREAM_PEER_URI_SAN%`.
 */
export function factsOf(report: Report): LabelFacts {
  const { response, customTags, tls } = report;
  const reporter = reporterOf(report);
  const protocol = protocolOf(report);
  const isClient = reporter === "source";
  const peer = isClient || tls === undefined ? "" : tls.peerPrincipal;
  const local = isClient || tls === undefined ? "" : tls.localPrincipal;
  return {
    reporter,
    sourcePrincipal: cut(said(customTags.get("source_principal")) || peer),
    // A waypoint's own certificate is not its destination's.
    destinationPrincipal: cut(
      said(customTags.get("destination_principal")) || (reporter === "waypoint" ? "" : local),
    ),
    security: securityOf(isClient, peer, local),
    serviceName: serviceNameOf(report),
    protocol,
    code: response === undefined ? "" : codeOf(response.code),
    grpcStatus: protocol === "grpc" && response?.grpcStatus !== undefined ? `${response.grpcStatus}` : "",
    flags: report.flags,
  };
}

/** One more than what series take as a value: it is `other` there, like all that begins so. */
const MAX_PRINCIPAL = 257;

function cut(text: string): string {
  if (text.length <= MAX_PRINCIPAL) return text;
  // A copy: a slice would keep the whole text in memory.
  return Buffer.from(text.slice(0, MAX_PRINCIPAL)).toString();
}

/** Only the server's side has both certificates of a connection. */
function securityOf(isClient: boolean, peer: string, local: string): LabelFacts["security"] {
  if (isClient) return "unknown";
  return peer !== "" && local !== "" ? "mutual_tls" : "none";
}

/** Istio's node ids begin with the kind of the proxy, for those whose metadata do not say. */
function reporterOf({ side, reporter: { party, id }, customTags }: Report): LabelFacts["reporter"] {
  if (side === "client") return "source";
  const isWaypoint =
    party?.workload.type === "waypoint" ||
    id.startsWith("waypoint~") ||
    customTags.get("reporter") === "waypoint";
  return isWaypoint ? "waypoint" : "destination";
}

/** Envoy writes `-` where a format has no value. */
function said(text: string | undefined): string {
  return text === undefined || text === "-" ? "" : text;
}

function codeOf(code: number): string {
  return code >= 0 && code <= 999 && Number.isInteger(code) ? `${code}` : UNKNOWN;
}

/**
 * Envoy's own test is the request's content type; where that is not logged, what only gRPC has tells.
 */
function protocolOf({ attributes, response, messages }: Report): LabelFacts["protocol"] {
  if (attributes.protocol === "tcp") return "tcp";
  const type = attributes.request?.headers.get("content-type")?.[0];
  if (type !== undefined) return isGrpc(toText(type)) ? "grpc" : "http";
  return response?.grpcStatus !== undefined || messages !== undefined ? "grpc" : "http";
}

const GRPC = "application/grpc";

function isGrpc(type: string): boolean {
  return type.startsWith(GRPC) && (type.length === GRPC.length || type[GRPC.length] === "+");
}

const ownClusters: ReadonlySet<string> = new Set([
  "BlackHoleCluster",
  "PassthroughCluster",
  "InboundPassthroughCluster",
  "InboundPassthroughClusterIpv4",
  "InboundPassthroughClusterIpv6",
]);

function serviceNameOf({ routeName, upstream }: Report): string {
  if (routeName === "block_all") return "BlackHoleCluster";
  if (routeName === "allow_any") return "PassthroughCluster";
  return ownClusters.has(upstream.cluster) ? upstream.cluster : "";
}

/** The values of `istioLabels[kind]`. */
export function labelValues(report: Report, kind: LabelKind, facts: LabelFacts): readonly string[] {
  const peers = [...sourceValues(report, facts), ...destinationValues(report, facts)];
  const { protocol, code, grpcStatus, flags, security } = facts;
  if (kind === "messages") return peers;
  if (kind === "tcp") return [...peers, protocol, flags, security];
  return [...peers, protocol, code, grpcStatus, flags, security];
}

function sourceValues({ source }: Report, { reporter, sourcePrincipal }: LabelFacts): readonly string[] {
  return [
    reporter,
    known(source?.workload.name),
    known(source?.canonicalService),
    source?.canonicalRevision || "latest",
    namespaceOf(source, reporter === "source" ? "" : sourcePrincipal),
    known(sourcePrincipal),
    ...appValues(source),
    known(source?.cluster),
  ];
}

function destinationValues({ destination, service }: Report, facts: LabelFacts): readonly string[] {
  const { reporter, destinationPrincipal, serviceName } = facts;
  const namespace = namespaceOf(destination, reporter === "source" ? destinationPrincipal : "");
  // Where the proxy stands at its workload, that is the service when nothing names one.
  const canonical = reporter === "destination" ? destination?.canonicalService : undefined;
  return [
    known(destination?.workload.name),
    namespace,
    known(destinationPrincipal),
    ...appValues(destination),
    known(service?.host || canonical),
    known(destination?.canonicalService),
    destination?.canonicalRevision || (reporter === "waypoint" ? UNKNOWN : "latest"),
    known(serviceName || service?.name || firstLabel(service?.host) || canonical),
    reporter === "destination"
      ? namespace
      : service?.namespace || (reporter === "source" ? namespace : UNKNOWN),
    known(destination?.cluster),
  ];
}

/** The certificate's word goes before the metadata's, which the peer says of itself. */
function namespaceOf(party: Party | undefined, principal: string): string {
  const [, rest] = principal.split("/ns/", 2);
  return known(rest?.split("/", 1)[0] || party?.workload.namespace);
}

function appValues(party: Party | undefined): readonly [app: string, version: string] {
  const labels = party?.workload.labels;
  return [
    known(labels?.get("app.kubernetes.io/name") || labels?.get("app")),
    known(labels?.get("app.kubernetes.io/version") || labels?.get("version")),
  ];
}

function firstLabel(host: string | undefined): string | undefined {
  return host?.split(".", 1)[0];
}

function known(value: string | undefined): string {
  return value === undefined || value === "" ? UNKNOWN : value;
}
