import type { HttpRequest } from "../attributes/index.js";
import type { Report } from "../report/index.js";
import { hostOf, maskedQueryOf, tagText } from "./masked.js";
import type { Span, SpanValue } from "./span.js";

/** What spans are made with. */
export interface TagOptions {
  /** Characters of a value that a request brings along. */
  readonly maxTagLength: number;
  /** Istio's `meshID`. */
  readonly meshId: string;
}

/** A span's attributes while they are put together: an object with all that every span has, since that is fast. */
export type Tags = Record<string, SpanValue>;

/** Statuses of gRPC that are the server's fault, by OpenTelemetry's conventions. */
const grpcFaults: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15]);
const MAX_DETAILS = 256;

/**
 * Istio's name of the operation, `SERVICE_HOST:PORT/*`; where the service is not known Envoy's, by direction. Nothing
 * that a client chooses is in it.
 */
export function requestSpanName({ service, attributes, upstream, side }: Report): string {
  // Istio's clusters: outbound|PORT|SUBSET|HOST.
  const [direction, port = "", , host = ""] = upstream.cluster.split("|");
  if (direction === "outbound" && host !== "") return `${host}:${port}/*`;
  if (service === undefined) return side === "server" ? "ingress" : "egress";
  const fqdn = service.host === "" ? `${service.name}.${service.namespace}.svc.cluster.local` : service.host;
  return `${fqdn}:${attributes.destination.port}/*`;
}

/** As Envoy's tracer judges: no answer at all, or one that says that the server failed. */
export function requestStatus(report: Report): Pick<Span, "status" | "statusMessage"> {
  const { code = 0, codeDetails = "", grpcStatus } = report.response ?? {};
  const failed = code === 0 || code >= 500 || (grpcStatus !== undefined && grpcFaults.has(grpcStatus));
  return failed
    ? { status: "error", statusMessage: tagText(codeDetails, MAX_DETAILS) }
    : { status: "unset", statusMessage: "" };
}

/** The tags that Envoy's tracer sets, and OpenTelemetry's for the same. Values of the query are masked. */
export function requestTags(report: Report, request: HttpRequest, options: TagOptions): Tags {
  const { attributes, response, reporter, upstream } = report;
  const text = (bytes: string): string => tagText(bytes, options.maxTagLength);
  const header = (name: string): string => text(request.headers.get(name)?.[0] ?? "-");
  const query = text(maskedQueryOf(request.path));
  const host = text(hostOf(request.host));
  const path = text(request.urlPath);
  const scheme = text(request.scheme);
  const url = `${scheme}://${host}${path}${query === "" ? "" : `?${query}`}`;
  const method = text(request.method);
  const tags: Tags = {
    component: "proxy",
    node_id: reporter.id,
    "guid:x-request-id": text(report.streamId),
    "http.url": url,
    "http.method": method,
    "http.protocol": request.protocol,
    "http.status_code": String(response?.code ?? 0),
    downstream_cluster: header("x-envoy-downstream-service-cluster"),
    user_agent: header("user-agent"),
    request_size: String(report.requestBodyBytes),
    response_size: String(response?.bodyBytes ?? 0),
    response_flags: report.flags,
    "http.request.method": methods.has(method) ? method : "_OTHER",
    "url.scheme": scheme,
    "url.path": path,
    "server.address": host,
    "http.request.body.size": report.requestBodyBytes,
    "http.response.body.size": response?.bodyBytes ?? 0,
  };
  if (!methods.has(method)) tags["http.request.method_original"] = method;
  if (query !== "") tags["url.query"] = query;
  if (response !== undefined && response.code !== 0) tags["http.response.status_code"] = response.code;
  if (attributes.source.ip !== undefined) {
    tags["peer.address"] = attributes.source.ip.text;
    tags["network.peer.address"] = attributes.source.ip.text;
  }
  if (attributes.remoteIp !== undefined) tags["client.address"] = attributes.remoteIp.text;
  if (upstream.cluster !== "") {
    tags["upstream_cluster"] = upstream.cluster;
    tags["upstream_cluster.name"] = upstream.cluster;
  }
  if (response?.grpcStatus !== undefined) {
    tags["rpc.system"] = "grpc";
    tags["rpc.grpc.status_code"] = response.grpcStatus;
    tags["grpc.status_code"] = String(response.grpcStatus);
  }
  const { status, statusMessage } = requestStatus(report);
  if (status === "error") {
    tags["error"] = true;
    tags["error.type"] = errorType(report, statusMessage);
  }
  return tags;
}

/** Adds Istio's own tags of the proxy that made the span, with Istio's words for what is not known. */
export function addIstioTags(tags: Tags, { reporter: { party } }: Report, { meshId }: TagOptions): void {
  tags["istio.canonical_revision"] = party?.canonicalRevision || "latest";
  tags["istio.canonical_service"] = party?.canonicalService || "unknown";
  tags["istio.mesh_id"] = meshId || "unknown";
  tags["istio.namespace"] = party?.workload.namespace || "default";
  tags["istio.cluster_id"] = party?.cluster || "unknown";
}

/** Adds one whose name somebody chose: `__proto__` is a name like others. */
export function addTag(tags: Tags, name: string, value: SpanValue): void {
  if (name !== "__proto__") tags[name] = value;
  else Object.defineProperty(tags, name, { value, enumerable: true, writable: true, configurable: true });
}

/** Those that OpenTelemetry knows; anything else may be anything. */
const methods: ReadonlySet<string> = new Set([
  ...["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"],
]);

function errorType({ response }: Report, details: string): string {
  if (response !== undefined && response.code >= 500) return String(response.code);
  return details === "" ? "_OTHER" : details;
}
