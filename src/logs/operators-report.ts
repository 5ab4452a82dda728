import { toText } from "../attributes/index.js";
import type { Report } from "../report/index.js";
import { known, type Operator, oneWord, plain, socketOf } from "./operator.js";
import { flagNames } from "./response-flags.js";
import { compileTime } from "./start-time.js";
import { traceOf } from "./trace-of.js";

const isHttp = ({ attributes }: Report): boolean => attributes.request !== undefined;

/** Whole milliseconds, as Envoy gives durations. */
const whole = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : Math.floor(ms));

function between(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined || to < from ? undefined : to - from;
}

/** Of the listener's X-Forwarded-For settings: then nobody knows the port, and Envoy writes 0. */
function remotePort({ attributes: { remoteIp, source } }: Report): number {
  return remoteIp?.text === source.ip?.text ? source.port : 0;
}

/** Envoy's points in the life of a request. */
const points: Readonly<Record<string, (times: Report["times"]) => number | undefined>> = {
  DS_RX_BEG: () => 0,
  DS_RX_END: ({ lastRequestByte }) => lastRequestByte,
  US_TX_BEG: ({ firstUpstreamByteSent }) => firstUpstreamByteSent,
  US_TX_END: ({ lastUpstreamByteSent }) => lastUpstreamByteSent,
  US_RX_BEG: ({ firstUpstreamByteReceived }) => firstUpstreamByteReceived,
  US_RX_END: ({ lastUpstreamByteReceived }) => lastUpstreamByteReceived,
  DS_TX_BEG: ({ firstResponseByte }) => firstResponseByte,
  DS_TX_END: ({ lastResponseByte }) => lastResponseByte,
};
const precisions: Readonly<Record<string, number>> = { ms: 1, us: 1000, ns: 1_000_000 };

const commonDuration: Operator = (argument = "") => {
  const [from = "", to = "", precision = "ms", ...more] = argument.split(":");
  const factor = Object.hasOwn(precisions, precision) ? precisions[precision] : undefined;
  const start = Object.hasOwn(points, from) ? points[from] : undefined;
  const end = Object.hasOwn(points, to) ? points[to] : undefined;
  if (factor === undefined || start === undefined || end === undefined || more.length > 0) {
    return {
      expected: `START:END or START:END:PRECISION of ${Object.keys(points).join(", ")} and ms, us, ns`,
    };
  }
  return ({ times }) => {
    const duration = between(start(times), end(times));
    return duration === undefined ? undefined : Math.floor(duration * factor + 1e-6);
  };
};

const startTime: Operator = (argument) => {
  const text = compileTime(argument);
  if (text === undefined) return { expected: "a format of strftime with %f, %3f, %E3S" };
  return ({ times }) => text(times.start);
};

const emitTime: Operator = (argument) => {
  const text = compileTime(argument);
  if (text === undefined) return { expected: "a format of strftime with %f, %3f, %E3S" };
  return ({ times }) => text(times.start + (times.duration ?? 0));
};

const codeDetails: Operator = (argument) => {
  if (argument === undefined) return ({ response }) => oneWord(response?.codeDetails);
  if (argument !== "ALLOW_WHITESPACES") return { expected: "ALLOW_WHITESPACES" };
  return ({ response }) => known(response?.codeDetails);
};

const logTypes = { open: "Start", continue: "Periodic", close: "End" } as const;

/** The longest names first: `%RESPONSE_FLAGS_LONG%`. */
const longFlags = (flags: string): string =>
  flags
    .split(",")
    .map((flag) => flagNames.get(flag) ?? flag)
    .join(",");

/** URIs among the names of a certificate. */
function uris(names: readonly string[]): string | undefined {
  const found = names.filter((name) => name.includes("://"));
  return found.length === 0 ? undefined : toText(found.join(","));
}

/** Operators of what Envoy itself knows of a request or a connection. */
export const reportOperators: readonly (readonly [name: string, operator: Operator])[] = [
  ["START_TIME", startTime],
  ["EMIT_TIME", emitTime],
  ["DURATION", plain(({ times }) => whole(times.duration))],
  ["REQUEST_DURATION", plain(({ times }) => whole(times.lastRequestByte))],
  ["REQUEST_TX_DURATION", plain(({ times }) => whole(times.lastUpstreamByteSent))],
  ["RESPONSE_DURATION", plain(({ times }) => whole(times.firstUpstreamByteReceived))],
  [
    "RESPONSE_TX_DURATION",
    plain(({ times }) => whole(between(times.firstUpstreamByteReceived, times.lastResponseByte))),
  ],
  ["COMMON_DURATION", commonDuration],
  ["PROTOCOL", plain(({ attributes: { request } }) => known(request?.protocol))],
  ["RESPONSE_CODE", plain(({ response }) => response?.code ?? 0)],
  ["RESPONSE_CODE_DETAILS", codeDetails],
  ["RESPONSE_FLAGS", plain(({ flags }) => flags)],
  ["RESPONSE_FLAGS_LONG", plain(({ flags }) => longFlags(flags))],
  ["CONNECTION_TERMINATION_DETAILS", plain(({ terminationDetails }) => known(terminationDetails))],
  ["UPSTREAM_TRANSPORT_FAILURE_REASON", plain(({ upstream }) => oneWord(upstream.transportFailure))],
  [
    "BYTES_RECEIVED",
    plain((report) => (isHttp(report) ? report.requestBodyBytes : totalsOf(report).received)),
  ],
  [
    "BYTES_SENT",
    plain((report) => (isHttp(report) ? (report.response?.bodyBytes ?? 0) : totalsOf(report).sent)),
  ],
  ["REQUEST_HEADERS_BYTES", plain(({ requestHeadersBytes }) => requestHeadersBytes)],
  ["RESPONSE_HEADERS_BYTES", plain(({ response }) => response?.headersBytes ?? 0)],
  ["DOWNSTREAM_WIRE_BYTES_RECEIVED", plain((report) => totalsOf(report).received)],
  ["DOWNSTREAM_WIRE_BYTES_SENT", plain((report) => totalsOf(report).sent)],
  ["UPSTREAM_WIRE_BYTES_RECEIVED", plain((report) => totalsOf(report).upstreamReceived)],
  ["UPSTREAM_WIRE_BYTES_SENT", plain((report) => totalsOf(report).upstreamSent)],
  ["UPSTREAM_HOST", plain(({ upstream }) => socketOf(upstream.address, upstream.port))],
  ["UPSTREAM_REMOTE_ADDRESS", plain(({ upstream }) => socketOf(upstream.address, upstream.port))],
  ["UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", plain(({ upstream }) => upstream.address?.text)],
  [
    "UPSTREAM_REMOTE_PORT",
    plain(({ upstream }) => (upstream.address === undefined ? undefined : upstream.port)),
  ],
  [
    "UPSTREAM_LOCAL_ADDRESS",
    plain(({ upstream }) => socketOf(upstream.localAddress, upstream.localPort ?? 0)),
  ],
  ["UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", plain(({ upstream }) => upstream.localAddress?.text)],
  [
    "UPSTREAM_LOCAL_PORT",
    plain(({ upstream }) => (upstream.localAddress === undefined ? undefined : upstream.localPort)),
  ],
  ["UPSTREAM_CLUSTER", plain(({ upstream }) => known(upstream.cluster))],
  ["UPSTREAM_CLUSTER_RAW", plain(({ upstream }) => known(upstream.cluster))],
  ["UPSTREAM_REQUEST_ATTEMPT_COUNT", plain(({ upstream }) => upstream.attempts)],
  [
    "DOWNSTREAM_LOCAL_ADDRESS",
    plain(({ attributes: { destination } }) => socketOf(destination.ip, destination.port)),
  ],
  ["DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", plain(({ attributes }) => attributes.destination.ip?.text)],
  ["DOWNSTREAM_LOCAL_PORT", plain(({ attributes }) => attributes.destination.port)],
  ["DOWNSTREAM_REMOTE_ADDRESS", plain((report) => socketOf(report.attributes.remoteIp, remotePort(report)))],
  ["DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", plain(({ attributes }) => attributes.remoteIp?.text)],
  ["DOWNSTREAM_REMOTE_PORT", plain(remotePort)],
  [
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    plain(({ attributes: { source } }) => socketOf(source.ip, source.port)),
  ],
  ["DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", plain(({ attributes }) => attributes.source.ip?.text)],
  ["DOWNSTREAM_DIRECT_REMOTE_PORT", plain(({ attributes }) => attributes.source.port)],
  ["DOWNSTREAM_TLS_VERSION", plain(({ tls }) => known(tls?.version))],
  ["DOWNSTREAM_PEER_URI_SAN", plain(({ attributes }) => uris(attributes.identity?.names ?? []))],
  ["DOWNSTREAM_LOCAL_URI_SAN", plain(({ tls }) => uris([tls?.localPrincipal ?? ""]))],
  ["REQUESTED_SERVER_NAME", plain(({ attributes }) => known(toText(attributes.sni)))],
  ["ROUTE_NAME", plain(({ routeName }) => known(routeName))],
  ["STREAM_ID", plain(({ streamId }) => known(streamId))],
  ["TRACE_ID", plain(({ attributes }) => traceOf(attributes)?.traceId)],
  ["SPAN_ID", plain(({ attributes }) => traceOf(attributes)?.spanId)],
  [
    "ACCESS_LOG_TYPE",
    plain((report) => `${isHttp(report) ? "Downstream" : "TcpConnection"}${logTypes[report.event]}`),
  ],
];

/** A line is written when a connection is over, and says all of it. */
function totalsOf({ totals, bytes }: Report): Report["bytes"] {
  return totals ?? bytes;
}
