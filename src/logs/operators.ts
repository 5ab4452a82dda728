import type { Operator } from "./operator.js";
import { httpOperators } from "./operators-http.js";
import { reportOperators } from "./operators-report.js";

/** Operators that can be written, by name. */
export const operators: ReadonlyMap<string, Operator> = new Map([...reportOperators, ...httpOperators]);

/** Endings of names below one beginning. */
const below = (beginning: string, endings: string): string[] =>
  endings.split(" ").map((ending) => `${beginning}${ending}`);

const certificate = "CERT_V_START CERT_V_END SUBJECT ISSUER SERIAL FINGERPRINT_1 FINGERPRINT_256 CERT";

/** Operators that Envoy knows, and of which an entry of its access log service says nothing. */
export const withoutSource: ReadonlySet<string> = new Set([
  "BYTES_RETRANSMITTED",
  "CEL",
  "CLUSTER_METADATA",
  "COALESCE",
  "CONNECTION_ID",
  "CUSTOM_FLAGS",
  "EMIT_TIME_LOCAL",
  "ENVIRONMENT",
  "FILTER_CHAIN_NAME",
  "FILTER_STATE",
  "HOSTNAME",
  "LISTENER_METADATA",
  "LOCAL_REPLY_BODY",
  "METADATA",
  "PACKETS_RECEIVED",
  "PACKETS_RETRANSMITTED",
  "PACKETS_SENT",
  "QUERY_PARAM",
  "QUERY_PARAMS",
  "RESPONSE_TRAILERS_BYTES",
  "ROUNDTRIP_DURATION",
  "ROUTE_METADATA",
  "START_TIME_LOCAL",
  "TLS_JA3_FINGERPRINT",
  "TLS_JA4_FINGERPRINT",
  "UNIQUE_ID",
  "VIRTUAL_CLUSTER_NAME",
  "VIRTUAL_HOST_METADATA",
  ...below(
    "DOWNSTREAM_",
    "DETECTED_CLOSE_TYPE DIRECT_LOCAL_ADDRESS HANDSHAKE_DURATION HEADER_BYTES_RECEIVED HEADER_BYTES_SENT " +
      "LOCAL_CLOSE_REASON LOCAL_DNS_SAN LOCAL_EMAIL_SAN LOCAL_IP_SAN LOCAL_OTHERNAME_SAN LOCAL_SUBJECT LOCAL_IDENTITY " +
      "PEER_DNS_SAN PEER_EMAIL_SAN PEER_IP_SAN PEER_OTHERNAME_SAN TLS_CIPHER TLS_SESSION_ID " +
      "TRANSPORT_FAILURE_REASON DECOMPRESSED_HEADER_BYTES_RECEIVED DECOMPRESSED_HEADER_BYTES_SENT",
  ),
  ...below("DOWNSTREAM_PEER_", certificate),
  ...below("DOWNSTREAM_LOCAL_", certificate),
  ...below("UPSTREAM_PEER_", `${certificate} URI_SAN DNS_SAN IP_SAN`),
  ...below("UPSTREAM_LOCAL_", `${certificate} URI_SAN DNS_SAN IP_SAN`),
  ...below(
    "UPSTREAM_",
    "CONNECTION_ID CONNECTION_POOL_READY_DURATION DETECTED_CLOSE_TYPE FILTER_STATE HEADER_BYTES_RECEIVED " +
      "HEADER_BYTES_SENT HOST_NAME HOST_NAME_WITHOUT_PORT HOSTS_ATTEMPTED HOSTS_ATTEMPTED_WITHOUT_PORT " +
      "HOST_NAMES_ATTEMPTED HOST_NAMES_ATTEMPTED_WITHOUT_PORT CONNECTION_IDS_ATTEMPTED METADATA PROTOCOL " +
      "TLS_CIPHER TLS_SESSION_ID TLS_VERSION LOCAL_CLOSE_REASON DECOMPRESSED_HEADER_BYTES_RECEIVED " +
      "DECOMPRESSED_HEADER_BYTES_SENT",
  ),
]);
