/** Pieces of Envoy's YAML as they should be, by the name of the code: what stands around the filters. */
export const proxyFixes = {
  doctorPathNotNormalized: "normalize_path: true",
  doctorSlashesNotMerged: "merge_slashes: true",
  doctorEscapedSlashes: "path_with_escaped_slashes_action: REJECT_REQUEST",
  doctorUnderscores: "common_http_protocol_options: {headers_with_underscores_action: REJECT_REQUEST}",
  doctorForwardedForBelieved: `
use_remote_address: true
xff_num_trusted_hops: 0`,
  doctorForwardedForDiffers: `
# listener
use_remote_address: true
xff_num_trusted_hops: 0
# virtual host or route, for ext_authz
check_settings:
  context_extensions:
    xff.use_remote_address: "true"
    xff.num_trusted_hops: "0"`,
  doctorAddressDetected: `
use_remote_address: true
xff_num_trusted_hops: 0   # without original_ip_detection_extensions`,
  doctorForwardedCertificate: "forward_client_cert_details: SANITIZE",
  doctorForwardedForNotAppended: "skip_xff_append: false",
  doctorClientRequestId: "preserve_external_request_id: false",
  doctorChunkedLength: "http_protocol_options: {allow_chunked_length: false}",
  doctorEverybodyInternal: `
internal_address_config:
  cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]`,
  doctorIdleTimeout: "stream_idle_timeout: 60s   # of the connection manager",
  doctorRateLimitOpen: "failure_mode_deny: true",
  doctorRateLimitTimeout: "timeout: 1s",
  doctorRateLimitBlind: `
http_filters:
  - name: envoy.filters.http.ext_authz
  - name: envoy.filters.http.ratelimit
  - name: envoy.filters.http.router`,
  doctorAccessLogPartial: `
access_log:
  - name: envoy.access_loggers.http_grpc   # without filter
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig
      common_config:
        log_name: gatehouse
        transport_api_version: V3
        grpc_service: {envoy_grpc: {cluster_name: gatehouse}}
        grpc_stream_retry_policy: {num_retries: 20}`,
  doctorNoAccessLog: `
access_log:
  - name: envoy.access_loggers.http_grpc
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig
      common_config:
        log_name: gatehouse
        transport_api_version: V3
        grpc_service: {envoy_grpc: {cluster_name: gatehouse}}
        grpc_stream_retry_policy: {num_retries: 20}`,
  doctorAccessLogLost: `
common_config:
  grpc_stream_retry_policy: {num_retries: 20}`,
  doctorAccessLogEnds: `
common_config:
  grpc_service: {envoy_grpc: {cluster_name: gatehouse}}`,
  doctorAccessLogIncomplete: `
# access log
custom_tags:
  - {tag: check_latency_us, value: "%FILTER_STATE(envoy.filters.http.ext_authz:FIELD:latency_us)%"}
  - {tag: check_timeout_ms, value: "2000"}
# ext_authz
grpc_service: {envoy_grpc: {cluster_name: gatehouse}, timeout: 2s}
emit_filter_state_stats: true`,
  doctorSecretLogged: "additional_request_headers_to_log: [content-type, traceparent, tracestate]",
  doctorPlaintext: `
transport_socket:
  name: envoy.transport_sockets.tls
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
    sni: gatehouse.internal
    common_tls_context:
      alpn_protocols: [h2]
      tls_certificates: [{certificate_chain: {filename: certs/envoy.pem}, private_key: {filename: certs/envoy-key.pem}}]
      validation_context: {trusted_ca: {filename: certs/ca.pem}}`,
  doctorNotHttp2: `
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: {http2_protocol_options: {max_concurrent_streams: 4}}`,
  doctorOneConnection: "http2_protocol_options: {max_concurrent_streams: 4}",
  doctorFewRequests: `
circuit_breakers:
  thresholds: [{max_requests: 8192, max_pending_requests: 8192}]`,
  doctorConnectTimeout: "connect_timeout: 0.25s",
  doctorManyStreams: `
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    common_http_protocol_options: {max_requests_per_connection: 500}
    explicit_http_config: {http2_protocol_options: {max_concurrent_streams: 100}}`,
  doctorAdminOpen: `
admin:
  address: {socket_address: {address: 127.0.0.1, port_value: 9901}}`,
  doctorIncomplete: "# curl http://ADMIN/config_dump?include_eds > envoy.json; gatehouse doctor envoy.json",
  doctorReadOtherwise: "failure_mode_allow: false   # once, under one name, in the one document of the file",
} as const;
