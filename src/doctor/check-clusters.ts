import { codes, show } from "../diagnostics/index.js";
import { hasTransportSocket, isLoopback } from "./check-ways.js";
import type { EnvoyConfig, Filter } from "./envoy-config.js";
import type { PolicyFacts } from "./facts.js";
import { modesOf } from "./modes.js";
import { isSet, type Tell } from "./tell.js";
import { at, durationMs, items, named, number, placeOf, type Tree, text } from "./tree.js";
import { types } from "./typed.js";

const PROTOCOL = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_REQUESTS = 1024;
const MANY_STREAMS = 100;
/** More resets in a burst nghttp2 takes for an attack. */
const MAX_RESETS = 1000;
const BUFFER_LIMIT = 1_048_576;
const MESSAGE_LIMIT = 16_777_216;

/** Every filter of a configuration that asks for decisions. */
export function policyFiltersOf({ listeners }: EnvoyConfig): readonly Filter[] {
  const chains = listeners.flatMap((listener) => listener.chains);
  const filters = chains.flatMap((chain) => [
    ...chain.filters,
    ...chain.managers.flatMap((manager) => manager.filters),
  ]);
  return filters.filter(({ type }) => askers.has(type));
}

const askers: ReadonlySet<string> = new Set([types.authz, types.networkAuthz, types.proc, types.rateLimit]);

/** The clusters that are asked for decisions. */
export function checkClusters(config: EnvoyConfig, tell: Tell): void {
  const asking = new Map<string, Filter[]>();
  for (const filter of policyFiltersOf(config)) {
    const service =
      at(filter.config, "grpc_service") ?? at(filter.config, "rate_limit_service", "grpc_service");
    const name = text(service, "envoy_grpc", "cluster_name");
    if (service !== undefined) checkChannel(service, filter.name, tell);
    if (name !== undefined) asking.set(name, [...(asking.get(name) ?? []), filter]);
  }
  for (const [name, filters] of asking) {
    const cluster = config.clusters.get(name);
    if (cluster !== undefined) checkCluster(cluster, config.endpoints.get(name), filters, tell);
  }
}

/** Envoy's other client of gRPC, which needs no cluster. */
function checkChannel(service: Tree, name: string, tell: Tell): void {
  const target = text(service, "google_grpc", "target_uri") ?? "";
  const host = target.replace(/^dns:\/*/, "").replace(/:[0-9]+$/, "");
  const credentials = ["channel_credentials", "channel_credentials_plugin"];
  if (host === "" || isLoopback(host.replace(/^\[|\]$/g, "")) || /^unix/.test(target)) return;
  if (credentials.some((field) => isSet(service, "google_grpc", field))) return;
  const message = `\`${name}\` sends to ${show(target)} in plain text, expected \`channel_credentials\` with TLS`;
  tell(codes.doctorPlaintext, placeOf(service, "google_grpc"), message);
}

function checkCluster(
  cluster: Tree,
  endpoints: Tree | undefined,
  filters: readonly Filter[],
  tell: Tell,
): void {
  const name = text(cluster, "name") ?? "";
  const remote = addressesOf(at(cluster, "load_assignment") ?? endpoints).find((one) => !isLoopback(one));
  if (remote !== undefined && !hasTransportSocket(cluster)) {
    const message = `cluster ${show(name)} sends to \`${remote}\` in plain text, expected a \`transport_socket\` with TLS`;
    tell(codes.doctorPlaintext, cluster.path, message);
  }
  const protocol = at(cluster, "typed_extension_protocol_options", PROTOCOL);
  const http2 =
    ["explicit_http_config", "use_downstream_protocol_config", "auto_config"]
      .map((way) => at(protocol, way, "http2_protocol_options"))
      .find((options) => options !== undefined) ?? at(cluster, "http2_protocol_options");
  if (http2 === undefined && !isSet(protocol, "auto_config")) {
    const message = `cluster ${show(name)} has no HTTP/2, expected \`explicit_http_config: {http2_protocol_options: {}}\``;
    tell(codes.doctorNotHttp2, protocol?.path ?? cluster.path, message);
    return;
  }
  const streams = number(http2, "max_concurrent_streams") ?? Number.POSITIVE_INFINITY;
  if (streams > MANY_STREAMS && filters.some(({ type }) => type === types.authz)) {
    const message = `cluster ${show(name)} puts every check on one connection of each thread, expected \`max_concurrent_streams\` of at most ${MANY_STREAMS}`;
    tell(codes.doctorOneConnection, http2?.path ?? cluster.path, message);
  }
  if (filters.some(({ type }) => type === types.proc)) checkTurnover(cluster, protocol, name, tell);
  checkBreaker(cluster, name, tell);
  checkConnect(cluster, name, filters, tell);
}

/** A client that goes away ends its stream by a reset, whatever the runtime says. */
function checkTurnover(cluster: Tree, protocol: Tree | undefined, name: string, tell: Tell): void {
  const field = "max_requests_per_connection";
  const options = at(protocol, "common_http_protocol_options") ?? at(cluster, "common_http_protocol_options");
  const requests = number(options, field) ?? number(cluster, field) ?? 0;
  if (requests > 0 && requests <= MAX_RESETS) return;
  const message = `cluster ${show(name)} keeps a connection for ${requests === 0 ? "any number of" : requests} streams of ext_proc, expected \`${field}\` of at most ${MAX_RESETS}`;
  tell(codes.doctorManyStreams, options?.path ?? protocol?.path ?? cluster.path, message);
}

function checkBreaker(cluster: Tree, name: string, tell: Tell): void {
  const usual = items(cluster, "circuit_breakers", "thresholds").find(
    (one) => named(["DEFAULT", "HIGH"], one, "priority") === "DEFAULT",
  );
  if ((number(usual, "max_requests") ?? MAX_REQUESTS) > MAX_REQUESTS) return;
  const message = `cluster ${show(name)} takes ${number(usual, "max_requests") ?? MAX_REQUESTS} requests at a time, expected \`max_requests\` for what this Envoy serves at its busiest`;
  tell(codes.doctorFewRequests, placeOf(cluster, "circuit_breakers"), message);
}

function checkConnect(cluster: Tree, name: string, filters: readonly Filter[], tell: Tell): void {
  const timeouts = filters.flatMap(({ config }) => [
    durationMs(config, "grpc_service", "timeout") ?? [],
    durationMs(config, "message_timeout") ?? [],
    durationMs(config, "timeout") ?? [],
  ]);
  const shortest = Math.min(...timeouts.flat().filter((ms) => ms > 0));
  const connect = durationMs(cluster, "connect_timeout") ?? CONNECT_TIMEOUT_MS;
  if (connect < shortest || !Number.isFinite(shortest)) return;
  const message = `cluster ${show(name)} may take ${connect} ms to connect, expected less than the filter's ${shortest} ms`;
  tell(codes.doctorConnectTimeout, placeOf(cluster, "connect_timeout"), message);
}

function addressesOf(assignment: Tree | undefined): readonly string[] {
  return items(assignment, "endpoints")
    .flatMap((locality) => items(locality, "lb_endpoints"))
    .flatMap((one) => text(one, "endpoint", "address", "socket_address", "address") ?? []);
}

/** The buffer of a listener with these filters of ext_proc. */
export function checkBuffer(
  listener: Tree,
  procs: readonly Filter[],
  facts: PolicyFacts | undefined,
  tell: Tell,
): void {
  const name = text(listener, "name") ?? "";
  if (facts?.hasBodyPolicies === false) return;
  const limit = number(listener, "per_connection_buffer_limit_bytes") ?? BUFFER_LIMIT;
  const place = placeOf(listener, "per_connection_buffer_limit_bytes");
  // Unless something else is configured, responses are asked for in FULL_DUPLEX_STREAMED, which knows no buffer (measured).
  const buffers = procs.some(({ config }) =>
    modesOf(at(config, "processing_mode")).some(
      ({ direction, body }) => direction === "response" && /^(?:STREAMED|BUFFERED)/.test(body),
    ),
  );
  const largest = Math.max(facts?.maxBodyBytes ?? 0, buffers ? (facts?.maxResponseBytes ?? 0) : 0);
  if (limit > MESSAGE_LIMIT) {
    const message = `listener ${show(name)} buffers ${limit} bytes, expected at most ${MESSAGE_LIMIT}, the longest message`;
    tell(codes.doctorBodyLimit, place, message);
  } else if (limit < largest) {
    const message = `listener ${show(name)} buffers ${limit} bytes, expected at least ${largest}, as a policy reads bodies of that length`;
    tell(codes.doctorBodyLimit, place, message);
  }
}
