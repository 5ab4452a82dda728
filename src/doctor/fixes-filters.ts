/** Pieces of Envoy's YAML as they should be, by the name of the code: filters and routes. */
export const filterFixes = {
  notEnvoyConfig: "# curl http://ADMIN/config_dump?include_eds > envoy.json",
  doctorFailOpen: "failure_mode_allow: false",
  doctorCheckTimeout: `
grpc_service:
  envoy_grpc: {cluster_name: gatehouse}
  timeout: 2s`,
  doctorOnlyWatches: `
# ext_authz
shadow_mode: false
# ext_proc
observability_mode: false`,
  doctorDisabledOnRoute: `
# on the route: nothing, and a policy instead
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: health, namespace: bookshop}
spec:
  action: ALLOW
  rules: [{to: [{operation: {methods: [GET], paths: [/healthz]}}]}]`,
  doctorAskedSometimes: `
http_filters:
  - name: envoy.filters.http.ext_authz
    typed_config:   # no ExtensionWithMatcher, no disabled, filter_enabled or filter_enabled_metadata
      "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz`,
  doctorPeerCertificate: `
include_peer_certificate: true
include_tls_session: true`,
  doctorRawHeaders: "encode_raw_headers: true",
  doctorUnvalidatedMutations: "validate_mutations: true",
  doctorRouteAfterDecision: `
# ext_authz
clear_route_cache: false
# ext_proc
route_cache_action: RETAIN`,
  doctorPartialBody: "with_request_body: {max_request_bytes: 65536, allow_partial_message: false}",
  doctorJwtAfterPolicy: `
http_filters:
  - name: envoy.filters.http.jwt_authn
  - name: envoy.filters.http.ext_authz
  - name: envoy.filters.http.ext_proc
  - name: envoy.filters.http.router`,
  doctorJwtPayloadLost: `
# ext_authz
metadata_context_namespaces: [envoy.filters.http.jwt_authn]
# ext_proc
metadata_options:
  forwarding_namespaces: {untyped: [envoy.filters.http.ext_authz, envoy.filters.http.jwt_authn]}`,
  doctorAnswersBefore: `
http_filters:
  - name: envoy.filters.http.ext_authz
  - name: envoy.filters.http.lua
  - name: envoy.filters.http.router`,
  doctorChangesAfter: `
http_filters:
  - name: envoy.filters.http.header_mutation
  - name: envoy.filters.http.ext_authz
  - name: envoy.filters.http.router`,
  doctorBypass: `
# on each listener that reaches the cluster
http_filters:
  - name: envoy.filters.http.ext_authz
  - name: envoy.filters.http.router`,
  doctorNoPolicyFilter: `
http_filters:
  - name: envoy.filters.http.ext_authz
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
      transport_api_version: V3
      grpc_service: {envoy_grpc: {cluster_name: gatehouse}, timeout: 2s}`,
  doctorUpgradeBypass: "upgrade_configs: [{upgrade_type: websocket}]   # with no filters of its own",
  doctorRateLimitSkipped: `
# a Quota acts on every route, as ext_authz asks before the route answers
apiVersion: gatehouse.dev/v1alpha1
kind: Quota`,
  doctorIdentityHeaders: `
# on the route: no request_headers_to_add for headers that say who calls
route: {cluster: upstream}`,
  doctorOrphanOverride: `
http_filters:
  - name: envoy.filters.http.ext_authz
# ...
typed_per_filter_config:
  envoy.filters.http.ext_authz:   # the same name
    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute`,
  doctorMessageTimeout: "message_timeout: 2s",
  doctorTrailersNotSent: `
processing_mode:
  response_body_mode: FULL_DUPLEX_STREAMED
  response_trailer_mode: SEND`,
  doctorOverrideIgnored: `
allow_mode_override: true
processing_mode: {request_header_mode: SEND, response_header_mode: SEND, request_body_mode: NONE, response_body_mode: NONE}`,
  doctorOverrideForbidden: "allow_mode_override: true",
  doctorOverrideLacks: "allow_mode_override: true   # without allowed_override_modes",
  doctorPartialBuffer: `
allow_mode_override: true
processing_mode: {request_body_mode: NONE, response_body_mode: NONE}`,
  doctorStreamedBody: `
allow_mode_override: true
processing_mode: {request_body_mode: NONE, response_body_mode: NONE}`,
  doctorNoImmediateResponse: "disable_immediate_response: false",
  doctorHeadersSkipped: "processing_mode: {request_header_mode: SEND, response_header_mode: SEND}",
  doctorHiddenHeader: `
forward_rules:   # or no forward_rules at all
  disallowed_headers: {patterns: [{exact: x-internal-noise}]}`,
  doctorNarrowHeaders: "# ext_proc: no forward_rules; ext_authz: no allowed_headers, no disallowed_headers",
  doctorMutationsForbidden: "mutation_rules: {disallow_is_error: true}",
  doctorMutationsVanish: "mutation_rules: {disallow_is_error: true}",
  doctorEnvoyMutable: `
mutation_rules:
  disallow_is_error: true
  allow_expression: {regex: "x-envoy-retry-on"}`,
  doctorVerdictNotForwarded: `
metadata_options:
  forwarding_namespaces: {untyped: [envoy.filters.http.ext_authz]}`,
  doctorRecordNotReceived: `
metadata_options:
  receiving_namespaces: {untyped: [envoy.filters.http.ext_proc]}`,
  doctorPeerUnknown: `
http_filters:
  - name: envoy.filters.http.set_filter_state
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config
      on_request_headers:
        - object_key: gatehouse.peer
          factory_key: envoy.string
          format_string: {text_format_source: {inline_string: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"}}
  - name: envoy.filters.http.ext_proc
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor
      request_attributes: ["filter_state['gatehouse.peer']"]`,
  doctorIdentityUnknown: `
request_attributes:
  - filter_state['gatehouse.peer']
  - connection.uri_san_peer_certificate
  - connection.dns_san_peer_certificate
  - connection.subject_peer_certificate`,
  doctorForgeableAddress: `request_attributes: ["filter_state['gatehouse.peer']"]`,
  doctorProcBeforeAuthz: `
http_filters:
  - name: envoy.filters.http.ext_authz
  - name: envoy.filters.http.ext_proc
  - name: envoy.filters.http.router`,
  doctorEncodedBeforePolicy: `
http_filters:
  - name: envoy.filters.http.compressor
  - name: envoy.filters.http.ext_proc
  - name: envoy.filters.http.router`,
  doctorBodyLimit: "per_connection_buffer_limit_bytes: 1048576   # of the listener",
  doctorOtherServer: "grpc_service: {envoy_grpc: {cluster_name: gatehouse}, timeout: 2s}",
  doctorStreamsReset: `
layered_runtime:
  layers:
    - name: static
      static_layer:
        envoy.reloadable_features.ext_proc_graceful_grpc_close: true`,
  doctorGrpcBody: `
allow_mode_override: true
processing_mode: {request_body_mode: NONE, response_body_mode: NONE}`,
  doctorLocalReplies: "response_attributes: [response.code_details]",
  doctorErrorLooksFine: "status_on_error: {code: ServiceUnavailable}",
  doctorBodiesUnseen: `
http_filters:   # behind set_filter_state and ext_authz, as in envoy/ext-proc.yaml
  - name: envoy.filters.http.ext_proc
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor
      grpc_service: {envoy_grpc: {cluster_name: gatehouse}}
      message_timeout: 2s
      allow_mode_override: true
      processing_mode: {request_header_mode: SEND, response_header_mode: SEND}
      mutation_rules: {allow_all_routing: true, disallow_is_error: true}`,
  doctorBodiesPerhapsUnseen: `
# on each listener whose bodies policies have to see
http_filters:
  - name: envoy.filters.http.ext_authz
  - name: envoy.filters.http.ext_proc
  - name: envoy.filters.http.router`,
} as const;
