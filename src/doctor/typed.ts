import { at, entries, isOn, type Tree, text } from "./tree.js";

/** Full names of the messages that are looked at. */
export const types = {
  manager: "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
  tcpProxy: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
  networkAuthz: "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz",
  authz: "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
  authzRoute: "envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute",
  proc: "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
  procRoute: "envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute",
  rateLimit: "envoy.extensions.filters.http.ratelimit.v3.RateLimit",
  rateLimitRoute: "envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute",
  jwt: "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
  matched: "envoy.extensions.common.matching.v3.ExtensionWithMatcher",
  composite: "envoy.extensions.filters.http.composite.v3.Composite",
  setFilterState: "envoy.extensions.filters.http.set_filter_state.v3.Config",
  compressor: "envoy.extensions.filters.http.compressor.v3.Compressor",
  healthCheck: "envoy.extensions.filters.http.health_check.v3.HealthCheck",
  httpLog: "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
  tcpLog: "envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig",
  tls: "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
} as const;

/** The extension at one place: its message, and what stands between it and every request. */
export interface Extension {
  /** Full name of the message; empty when there is none. */
  readonly type: string;
  readonly config: Tree;
  /** Switched off by default, or chosen by a matcher. */
  readonly condition: "off" | "matched" | undefined;
  /** Where a matcher chooses. */
  readonly matcher?: Tree | undefined;
}

const EXECUTE = "envoy.extensions.filters.http.composite.v3.ExecuteFilterAction";
/** No configuration is deeper. */
const MAX_DEPTH = 64;

/** The `typed_config` at a place; a message around it that only selects or switches is taken off. */
export function extensionOf(tree: Tree): Extension {
  const off = isOn(tree, "disabled") ? "off" : undefined;
  const config = at(tree, "typed_config");
  if (config === undefined) return { type: "", config: tree, condition: off };
  const { condition, ...extension } = unpack(config);
  return { ...extension, condition: condition ?? off };
}

/** The settings of virtual hosts and routes by the names of their filters. */
export function settingsOf(tree: Tree): readonly (readonly [filter: string, setting: Extension])[] {
  return entries(tree, "typed_per_filter_config").map(([name, any]) => [name, unpack(any)]);
}

/** The filters that a composite filter may run. */
export function actionsOf({ matcher }: Extension): readonly Extension[] {
  return messagesIn(matcher).flatMap(({ type, config }) => {
    const inner = type === EXECUTE ? at(config, "typed_config") : undefined;
    return inner === undefined ? [] : [{ ...extensionOf(inner), condition: "matched" as const }];
  });
}

/** Each typed message in a tree, but for those inside of another. */
export function messagesIn(tree: Tree | undefined, depth = 0): readonly Extension[] {
  if (tree === undefined || depth > MAX_DEPTH) return [];
  if (Array.isArray(tree.value)) {
    return tree.value.flatMap((value: unknown, i) =>
      messagesIn({ value, path: [...tree.path, i] }, depth + 1),
    );
  }
  if (text(tree, "@type") !== undefined) return [unpack(tree)];
  return entries(tree).flatMap(([, inner]) => messagesIn(inner, depth + 1));
}

/** A google.protobuf.Any. */
export function unpack(any: Tree): Extension {
  const type = shortName(text(any, "@type"));
  if (type === "xds.type.v3.TypedStruct" || type === "udpa.type.v1.TypedStruct") {
    const inner = shortName(text(any, "type_url"));
    return { type: inner, config: at(any, "value") ?? any, condition: undefined };
  }
  if (type === types.matched) {
    const inner = at(any, "extension_config", "typed_config");
    const condition = "matched";
    const matcher = at(any, "xds_matcher") ?? at(any, "matcher");
    return inner === undefined
      ? { type, config: any, condition, matcher }
      : { ...unpack(inner), condition, matcher };
  }
  if (type === "envoy.config.route.v3.FilterConfig") {
    const condition = isOn(any, "disabled") ? "off" : undefined;
    const inner = at(any, "config");
    return inner === undefined ? { type, config: any, condition } : { ...unpack(inner), condition };
  }
  return { type, config: any, condition: undefined };
}

function shortName(url: string | undefined): string {
  return (url ?? "").replace(/^.*\//, "");
}
