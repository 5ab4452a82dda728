const type = (name: string): string => `type.googleapis.com/${name}`;

/** What the checks of all listeners may take at most, in milliseconds. */
export const CHECK_TIMEOUT_MS = 1000;

/** Logs of one kind: one to the tap, which the goldens are of, and the same to Gatehouse itself. */
export function loggers(kind: "Http" | "Tcp"): object[] {
  return ["tap", "gatehouse"].map((cluster) => ({
    name: `envoy.access_loggers.${kind.toLowerCase()}_grpc`,
    typed_config: {
      "@type": type(`envoy.extensions.access_loggers.grpc.v3.${kind}GrpcAccessLogConfig`),
      common_config: {
        log_name: cluster,
        transport_api_version: "V3",
        grpc_service: { envoy_grpc: { cluster_name: cluster } },
        buffer_flush_interval: "0.05s",
        filter_state_objects_to_log: ["envoy.filters.http.ext_authz.shadow", "envoy.filters.http.grpc_stats"],
        custom_tags: [
          {
            tag: "check_latency_us",
            value: "%FILTER_STATE(envoy.filters.http.ext_authz:FIELD:latency_us)%",
          },
          { tag: "check_timeout_ms", value: String(CHECK_TIMEOUT_MS) },
          { tag: "listener_direction", value: "%CEL(xds.listener_direction)%" },
          { tag: "response_flags", value: "%RESPONSE_FLAGS%" },
          { tag: "destination_principal", value: "%UPSTREAM_PEER_URI_SAN%" },
          { tag: "trace_id", value: "%TRACE_ID%" },
          { tag: "span_id", value: "%SPAN_ID%" },
          {
            tag: "destination_peer",
            metadata: { kind: { host: {} }, metadata_key: { key: "istio", path: [{ key: "workload" }] } },
          },
          {
            // Not as `metadata` of the cluster, which is only known where an upstream was chosen.
            tag: "destination_services",
            value: "%CLUSTER_METADATA(istio:services)%",
          },
        ],
      },
      ...(kind === "Http" && {
        additional_request_headers_to_log: [
          ":method",
          "content-type",
          "traceparent",
          "tracestate",
          "b3",
          "x-b3-traceid",
          "x-b3-spanid",
          "x-b3-sampled",
        ],
        additional_response_headers_to_log: ["content-type", "grpc-status"],
        additional_response_trailers_to_log: ["grpc-status", "grpc-message"],
      }),
    },
  }));
}
