import type { LabelKind } from "./istio-labels.js";
import type { Report } from "./report.js";

/** Istio's names of its standard metrics: MetricSelector.IstioMetric of telemetry.istio.io, without ALL_METRICS. */
export type StandardMetric =
  | "REQUEST_COUNT"
  | "REQUEST_DURATION"
  | "REQUEST_SIZE"
  | "RESPONSE_SIZE"
  | "TCP_OPENED_CONNECTIONS"
  | "TCP_CLOSED_CONNECTIONS"
  | "TCP_SENT_BYTES"
  | "TCP_RECEIVED_BYTES"
  | "GRPC_REQUEST_MESSAGES"
  | "GRPC_RESPONSE_MESSAGES";

/** What a standard metric is. */
export interface MetricShape {
  readonly name: string;
  readonly help: string;
  readonly kind: LabelKind;
  /** Of a histogram: its upper bounds. */
  readonly buckets: readonly number[] | undefined;
  /** What a report adds, undefined when it is none of this metric's. */
  readonly amountOf: (report: Report) => number | undefined;
}

/** Envoy's default buckets, which Istio does not change: of milliseconds and of bytes alike. */
export const istioBuckets: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

/** A request is counted once, when it is over. */
const isRequest = ({ attributes, event }: Report): boolean =>
  attributes.protocol === "http" && event === "close";

const isConnection = ({ attributes }: Report): boolean => attributes.protocol === "tcp";

const ofRequest =
  (value: (report: Report) => number | undefined): MetricShape["amountOf"] =>
  (report) =>
    isRequest(report) ? value(report) : undefined;

/**
 * Connections report more than once, with what came since the report before. One that only opens, but is not counted as
 * such, is not known yet: it would be a series of its own that stays 0.
 */
const ofConnection =
  (value: (report: Report) => number | undefined): MetricShape["amountOf"] =>
  (report) =>
    isConnection(report) && !(report.event === "open" && report.isFirst === false)
      ? value(report)
      : undefined;

/** Each by what Istio's filter counts; see the doc comments where an access log entry tells something else. */
export const shapes: Readonly<Record<StandardMetric, MetricShape>> = {
  REQUEST_COUNT: {
    name: "istio_requests_total",
    help: "Requests that are over.",
    kind: "http",
    buckets: undefined,
    amountOf: ofRequest(() => 1),
  },
  /** Istio cuts to whole milliseconds, here the fraction stays. */
  REQUEST_DURATION: {
    name: "istio_request_duration_milliseconds",
    help: "Time from the first byte of a request to its end.",
    kind: "http",
    buckets: istioBuckets,
    amountOf: ofRequest(({ times }) => times.duration),
  },
  REQUEST_SIZE: {
    name: "istio_request_bytes",
    help: "Bytes of requests on the wire, from the client; headers and framing included.",
    kind: "http",
    buckets: istioBuckets,
    amountOf: ofRequest(({ bytes }) => bytes.received),
  },
  RESPONSE_SIZE: {
    name: "istio_response_bytes",
    help: "Bytes of responses on the wire, to the client; headers and framing included.",
    kind: "http",
    buckets: istioBuckets,
    amountOf: ofRequest(({ bytes }) => bytes.sent),
  },
  TCP_OPENED_CONNECTIONS: {
    name: "istio_tcp_connections_opened_total",
    help: "Connections opened, counted at their first report.",
    kind: "tcp",
    buckets: undefined,
    amountOf: ofConnection(({ isFirst, event }) => ((isFirst ?? event === "open") ? 1 : undefined)),
  },
  TCP_CLOSED_CONNECTIONS: {
    name: "istio_tcp_connections_closed_total",
    help: "Connections closed.",
    kind: "tcp",
    buckets: undefined,
    amountOf: ofConnection(({ event }) => (event === "close" ? 1 : undefined)),
  },
  TCP_SENT_BYTES: {
    name: "istio_tcp_sent_bytes_total",
    help: "Bytes sent to the clients of connections.",
    kind: "tcp",
    buckets: undefined,
    amountOf: ofConnection(({ bytes }) => bytes.sent),
  },
  TCP_RECEIVED_BYTES: {
    name: "istio_tcp_received_bytes_total",
    help: "Bytes received from the clients of connections.",
    kind: "tcp",
    buckets: undefined,
    amountOf: ofConnection(({ bytes }) => bytes.received),
  },
  GRPC_REQUEST_MESSAGES: {
    name: "istio_request_messages_total",
    help: "gRPC messages sent by clients, of requests that are over.",
    kind: "messages",
    buckets: undefined,
    amountOf: ofRequest(({ messages }) => messages?.request),
  },
  GRPC_RESPONSE_MESSAGES: {
    name: "istio_response_messages_total",
    help: "gRPC messages sent by servers, of requests that are over.",
    kind: "messages",
    buckets: undefined,
    amountOf: ofRequest(({ messages }) => messages?.response),
  },
};

/** Prometheus' names of all standard metrics: nobody else may use them. */
export const istioMetricNames: ReadonlySet<string> = new Set(Object.values(shapes).map(({ name }) => name));
