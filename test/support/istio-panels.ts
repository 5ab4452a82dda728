import { CALLEES, CALLERS, type Call, type Connection, type Load, serviceOf } from "./mesh-load.js";
import type { Sample } from "./prometheus.js";

/** A query as Istio's dashboards or Kiali ask it, and what a load means for it. */
export interface Panel {
  /** Dashboard and panel. */
  readonly title: string;
  /** `$rate` and `$irate` stand for ranges. */
  readonly query: string;
  /**
   * `total`: what was counted since the start; `rate`: what the last load counted, to be divided by the time;
   * `plain`: shares and quantiles of the last load.
   */
  readonly kind: "total" | "rate" | "plain";
  readonly expected: (load: Load) => readonly Sample[];
  /** Of results that the query rounds. */
  readonly within?: number;
}

/** Envoy's buckets, of milliseconds and of bytes. */
const bounds = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

/** What Prometheus makes of buckets with these values: linear between the bounds of the bucket. */
export function bucketQuantile(q: number, values: readonly number[]): number {
  const cumulative = [...bounds, Number.POSITIVE_INFINITY].map(
    (bound) => values.filter((value) => value <= bound).length,
  );
  const rank = q * values.length;
  const index = cumulative.findIndex((count) => count >= rank);
  if (index === bounds.length) return bounds.at(-1) ?? Number.NaN;
  const [start, end] = [index === 0 ? 0 : (bounds[index - 1] ?? 0), bounds[index] ?? 0];
  const below = index === 0 ? 0 : (cumulative[index - 1] ?? 0);
  return start + ((end - start) * (rank - below)) / ((cumulative[index] ?? 0) - below);
}

type Labels = Readonly<Record<string, string>>;

/** Groups by labels and makes one value of each group. */
function by<T>(
  items: readonly T[],
  labels: (item: T) => Labels,
  value: (group: readonly T[]) => number,
): Sample[] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = JSON.stringify(labels(item));
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return [...groups].map(([key, group]) => ({ labels: JSON.parse(key) as Labels, value: value(group) }));
}

const none = (): Labels => ({});
const count = (group: readonly unknown[]): number => group.length;
const isSuccess = ({ code }: Call): boolean => code < 500;
const success = (group: readonly Call[]): number => group.filter(isSuccess).length / group.length;
const sum =
  <T>(value: (item: T) => number) =>
  (group: readonly T[]): number =>
    group.reduce((total, item) => total + value(item), 0);
const quantile =
  (q: number, value: (call: Call) => number, divisor = 1) =>
  (group: readonly Call[]): number =>
    bucketQuantile(q, group.map(value)) / divisor;

const quantiles = [0.5, 0.9, 0.95, 0.99];
const sizes = [
  ["Request Size", "istio_request_bytes", (call: Call) => call.requestBytes],
  ["Response Size", "istio_response_bytes", (call: Call) => call.responseBytes],
] as const;

const workload = ({ callee }: Call | Connection): Labels => ({
  destination_workload: callee,
  destination_workload_namespace: CALLEES,
});
const variable = (item: Call | Connection): Labels => ({
  ...workload(item),
  destination_workload_var: `${item.callee}.${CALLEES}`,
});
const caller = (item: Call | Connection): Labels => ({
  source_workload: item.caller,
  source_workload_namespace: CALLERS,
});
const service = ({ callee }: Call | Connection): Labels => ({ destination_service: serviceOf(callee) });

const joined = (inner: string): string =>
  `label_join(${inner}, "destination_workload_var", ".", "destination_workload", "destination_workload_namespace")`;
const M = 'reporter=~"source|waypoint"';

/** The mesh: all that callers' proxies report. */
const mesh: readonly Panel[] = [
  {
    title: "mesh / Traffic Volume",
    query: `round(sum(rate(istio_requests_total{${M}}[$rate])), 0.01)`,
    kind: "rate",
    expected: ({ calls }) => by(calls, none, count),
    within: 0.005,
  },
  {
    title: "mesh / Success Rate",
    query: `sum(rate(istio_requests_total{${M},response_code!~"5.."}[$rate])) / sum(rate(istio_requests_total{${M}}[$rate]))`,
    kind: "plain",
    expected: ({ calls }) => by(calls, none, success),
  },
  ...["4", "5"].map(
    (digit): Panel => ({
      title: `mesh / ${digit}xxs`,
      query: `round(sum(rate(istio_requests_total{${M},response_code=~"${digit}.."}[$rate])), 0.01) or vector(0)`,
      kind: "rate",
      expected: ({ calls }) =>
        by(
          calls.filter(({ code }) => `${code}`.startsWith(digit)),
          none,
          count,
        ),
      within: 0.005,
    }),
  ),
  {
    title: "mesh / HTTP workloads, requests",
    query: joined(
      `sum by (destination_workload,destination_workload_namespace,destination_service) (rate(istio_requests_total{${M}}[$rate]))`,
    ),
    kind: "rate",
    expected: ({ calls }) => by(calls, (call) => ({ ...variable(call), ...service(call) }), count),
  },
  ...[0.5, 0.9, 0.99].map(
    (q): Panel => ({
      title: `mesh / HTTP workloads, quantile ${q}`,
      query: joined(
        `histogram_quantile(${q}, sum by (le,destination_workload,destination_workload_namespace) (rate(istio_request_duration_milliseconds_bucket{${M}}[$rate])))`,
      ),
      kind: "plain",
      expected: ({ calls }) =>
        by(
          calls,
          variable,
          quantile(q, ({ durationMs }) => durationMs),
        ),
    }),
  ),
  ...(["received", "sent"] as const).map(
    (way): Panel => ({
      title: `mesh / TCP workloads, bytes ${way}`,
      query: joined(
        `sum by (destination_workload,destination_workload_namespace,destination_service) (rate(istio_tcp_${way}_bytes_total{${M}}[$rate]))`,
      ),
      kind: "rate",
      expected: ({ connections }) =>
        by(connections, (each) => ({ ...variable(each), ...service(each) }), sum(bytes(way))),
    }),
  ),
];

function bytes(way: "received" | "sent"): (connection: Connection) => number {
  return way === "received" ? ({ receivedBytes }) => receivedBytes : ({ sentBytes }) => sentBytes;
}

/** Panels that service and workload dashboards have alike: of one service or workload, by who called. */
function incoming(dashboard: string, scope: string, callee: string): readonly Panel[] {
  const of = ({ calls }: Load): readonly Call[] => calls.filter((call) => call.callee === callee);
  const filters = `source_workload=~"web|batch",source_workload_namespace=~"${CALLERS}"`;
  const R = `reporter="destination",${scope}`;
  const seconds = (q: number, labels: string, grouping: string): string =>
    ["milliseconds", "seconds"]
      .map((unit) => {
        const buckets = `istio_request_duration_${unit}_bucket{${R}${labels}}`;
        const value = `histogram_quantile(${q}, sum(irate(${buckets}[$irate])) by (${grouping}le))`;
        return unit === "milliseconds" ? `(${value} / 1000)` : value;
      })
      .join(" or ");
  return [
    {
      title: `${dashboard} / Request Volume`,
      query: `round(sum(irate(istio_requests_total{${R}}[$irate])), 0.001)`,
      kind: "rate",
      expected: (load) => by(of(load), none, count),
      within: 0.0005,
    },
    {
      title: `${dashboard} / Success Rate (non-5xx responses)`,
      query: `sum(irate(istio_requests_total{${R},response_code!~"5.*"}[$irate])) / (sum(irate(istio_requests_total{${R}}[$irate])) or on () vector(1))`,
      kind: "plain",
      expected: (load) => by(of(load), none, success),
    },
    ...quantiles.map(
      (q): Panel => ({
        title: `${dashboard} / Request Duration, quantile ${q}`,
        query: seconds(q, "", ""),
        kind: "plain",
        expected: (load) =>
          by(
            of(load),
            none,
            quantile(q, ({ durationMs }) => durationMs, 1000),
          ),
      }),
    ),
    ...[true, false].flatMap((isMutual): Panel[] => {
      const policy = `,connection_security_policy${isMutual ? "=" : "!="}"mutual_tls",${filters}`;
      const title = `${dashboard}, ${isMutual ? "mTLS" : "plain text"}`;
      const mine = (load: Load): readonly Call[] => of(load).filter((call) => call.isMutual === isMutual);
      const group = "source_workload, source_workload_namespace";
      return [
        {
          title: `${title} / Incoming Requests By Source And Response Code`,
          query: `round(sum(irate(istio_requests_total{${R}${policy}}[$irate])) by (${group}, response_code), 0.001)`,
          kind: "rate",
          expected: (load) =>
            by(mine(load), (call) => ({ ...caller(call), response_code: `${call.code}` }), count),
          within: 0.0005,
        },
        {
          title: `${title} / Incoming Success Rate By Source`,
          query: `sum(irate(istio_requests_total{${R}${policy},response_code!~"5.*"}[$irate])) by (${group}) / sum(irate(istio_requests_total{${R}${policy}}[$irate])) by (${group})`,
          kind: "plain",
          expected: (load) => by(mine(load), caller, success),
        },
        ...quantiles.flatMap((q): Panel[] => [
          {
            title: `${title} / Incoming Request Duration By Source, quantile ${q}`,
            query: seconds(q, policy, `${group}, `),
            kind: "plain",
            expected: (load) =>
              by(
                mine(load),
                caller,
                quantile(q, ({ durationMs }) => durationMs, 1000),
              ),
          },
          ...sizes.map(
            ([name, metric, value]): Panel => ({
              title: `${title} / Incoming ${name} By Source, quantile ${q}`,
              query: `histogram_quantile(${q}, sum(irate(${metric}_bucket{${R}${policy}}[$irate])) by (${group}, le))`,
              kind: "plain",
              expected: (load) => by(mine(load), caller, quantile(q, value)),
            }),
          ),
        ]),
      ];
    }),
  ];
}

/** TCP panels of both dashboards. */
function incomingTcp(dashboard: string, scope: string): readonly Panel[] {
  return (["received", "sent"] as const).flatMap((way): Panel[] =>
    [true, false].map((isMutual) => ({
      title: `${dashboard} / TCP bytes ${way} By Source, ${isMutual ? "mTLS" : "plain text"}`,
      query: `round(sum(irate(istio_tcp_${way}_bytes_total{connection_security_policy${isMutual ? "=" : "!="}"mutual_tls",reporter="destination",${scope},source_workload=~".*"}[$irate])) by (source_workload, source_workload_namespace), 0.001)`,
      kind: "rate",
      expected: ({ connections }) =>
        by(
          connections.filter((connection) => connection.isMutual === isMutual),
          caller,
          sum(bytes(way)),
        ),
      within: 0.0005,
    })),
  );
}

/** The workload dashboard's other half: what its own proxy reports of its calls. */
function outgoing(): readonly Panel[] {
  const R = `reporter="source",source_workload_namespace=~"${CALLERS}",source_workload=~"web"`;
  const of = ({ calls }: Load): readonly Call[] => calls.filter((call) => call.caller === "web");
  return [
    ...[true, false].map(
      (isMutual): Panel => ({
        title: `workload / Outgoing Requests By Destination And Response Code, ${isMutual ? "mTLS" : "plain text"}`,
        query: `round(sum(irate(istio_requests_total{destination_principal${isMutual ? "=~" : "!~"}"spiffe.*",${R},destination_service=~".*"}[$irate])) by (destination_service, response_code), 0.001)`,
        kind: "rate",
        expected: (load) =>
          by(
            of(load).filter((call) => call.isMutual === isMutual),
            (call) => ({ ...service(call), response_code: `${call.code}` }),
            count,
          ),
        within: 0.0005,
      }),
    ),
    {
      // As Istio's own proxies, callers do not say whether a call was secured, so all are on this side.
      title: "workload / Outgoing Success Rate By Destination",
      query: `sum(irate(istio_requests_total{${R},connection_security_policy!="mutual_tls",response_code!~"5.*"}[$irate])) by (destination_service) / sum(irate(istio_requests_total{${R},connection_security_policy!="mutual_tls"}[$irate])) by (destination_service)`,
      kind: "plain",
      expected: (load) => by(of(load), service, success),
    },
    ...quantiles.flatMap((q): Panel[] => [
      {
        title: `workload / Outgoing Request Duration By Destination, quantile ${q}`,
        query: `(histogram_quantile(${q}, sum(irate(istio_request_duration_milliseconds_bucket{${R}}[$irate])) by (destination_service, le)) / 1000) or histogram_quantile(${q}, sum(irate(istio_request_duration_seconds_bucket{${R}}[$irate])) by (destination_service, le))`,
        kind: "plain",
        expected: (load) =>
          by(
            of(load),
            service,
            quantile(q, ({ durationMs }) => durationMs, 1000),
          ),
      },
      ...sizes.map(
        ([name, metric, value]): Panel => ({
          title: `workload / Outgoing ${name} By Destination, quantile ${q}`,
          query: `histogram_quantile(${q}, sum(irate(${metric}_bucket{${R}}[$irate])) by (destination_service, le))`,
          kind: "plain",
          expected: (load) => by(of(load), service, quantile(q, value)),
        }),
      ),
    ]),
    ...(["received", "sent"] as const).map(
      (way): Panel => ({
        title: `workload / TCP bytes ${way} on outgoing connections`,
        query: `round(sum(irate(istio_tcp_${way}_bytes_total{${R}}[$irate])) by (destination_service), 0.001)`,
        kind: "rate",
        expected: ({ connections }) =>
          by(
            connections.filter((each) => each.caller === "web"),
            service,
            sum(bytes(way)),
          ),
        within: 0.0005,
      }),
    ),
  ];
}

/** What the dashboards' variables list. */
function variables(): readonly Panel[] {
  const list = (label: string): string =>
    `sum(istio_requests_total{reporter="destination"}) by (${label}) or sum(istio_tcp_sent_bytes_total{reporter="destination"}) by (${label})`;
  const totals =
    (labels: (item: Call | Connection) => Labels) =>
    ({ calls, connections }: Load): Sample[] => {
      const requests = by(calls, labels, count);
      const known = new Set(requests.map((each) => JSON.stringify(each.labels)));
      const others = by(connections, labels, sum(bytes("sent")));
      return [...requests, ...others.filter((each) => !known.has(JSON.stringify(each.labels)))];
    };
  return [
    { title: "service / $service", query: list("destination_service"), expected: totals(service) },
    {
      title: "workload / $namespace",
      query: list("destination_workload_namespace"),
      expected: totals(() => ({ destination_workload_namespace: CALLEES })),
    },
    {
      title: "service / $srcwl",
      query: list("source_workload"),
      expected: totals((each) => ({ source_workload: each.caller })),
    },
    {
      title: "service / $srccluster",
      query: list("source_cluster"),
      expected: totals(() => ({ source_cluster: "Kubernetes" })),
    },
  ].map((each) => ({ ...each, kind: "total" as const }));
}

/** Kiali's graph: edges of services and of workloads, with all labels that it groups by. */
function kiali(): readonly Panel[] {
  const nodes = "workload_namespace,workload,canonical_service,canonical_revision,cluster".split(",");
  const ends = ["source", "destination"].flatMap((end) => nodes.map((node) => `${end}_${node}`));
  const called = ["destination_service", "destination_service_name", "destination_service_namespace"];
  const labels = (side: string) => (item: Call | Connection) => ({
    reporter: side,
    source_workload_namespace: CALLERS,
    source_workload: item.caller,
    source_canonical_service: item.caller,
    source_canonical_revision: "v1",
    source_cluster: "Kubernetes",
    destination_workload_namespace: CALLEES,
    destination_workload: item.callee,
    destination_canonical_service: item.callee,
    destination_canonical_revision: "v1",
    destination_cluster: "Kubernetes",
    destination_service: serviceOf(item.callee),
    destination_service_name: item.callee,
    destination_service_namespace: CALLEES,
  });
  return ["source", "destination"].flatMap((side): Panel[] => [
    {
      title: `Kiali / graph, reported by the ${side}`,
      query: `sum(istio_requests_total{reporter="${side}"}) by (reporter,${[...ends, ...called].join(",")},request_protocol,response_code,grpc_response_status,response_flags)`,
      kind: "total",
      expected: ({ calls }) =>
        by(
          calls,
          (call) => ({
            ...labels(side)(call),
            request_protocol: call.grpcStatus === undefined ? "http" : "grpc",
            response_code: `${call.code}`,
            // Prometheus takes an empty label for none.
            ...(call.grpcStatus !== undefined && { grpc_response_status: `${call.grpcStatus}` }),
            response_flags: call.flags,
          }),
          count,
        ),
    },
    ...(["received", "sent"] as const).map(
      (way): Panel => ({
        title: `Kiali / TCP graph, ${way}, reported by the ${side}`,
        query: `sum(istio_tcp_${way}_bytes_total{reporter="${side}"}) by (reporter,${[...ends, ...called].join(",")})`,
        kind: "total",
        expected: ({ connections }) => by(connections, labels(side), sum(bytes(way))),
      }),
    ),
  ]);
}

/** Sums that need no interpretation. */
function totals(): readonly Panel[] {
  const S = '{reporter="destination"}';
  const calls: readonly (readonly [metric: string, value: (group: readonly Call[]) => number])[] = [
    ["istio_requests_total", count],
    ["istio_request_duration_milliseconds_count", count],
    ["istio_request_duration_milliseconds_sum", sum(({ durationMs }) => durationMs)],
    ["istio_request_bytes_sum", sum(({ requestBytes }) => requestBytes)],
    ["istio_response_bytes_sum", sum(({ responseBytes }) => responseBytes)],
  ];
  const connections: readonly (readonly [metric: string, value: (group: readonly Connection[]) => number])[] =
    [
      ["istio_tcp_connections_opened_total", count],
      ["istio_tcp_connections_closed_total", (group) => group.filter(({ isClosed }) => isClosed).length],
      ["istio_tcp_received_bytes_total", sum(bytes("received"))],
      ["istio_tcp_sent_bytes_total", sum(bytes("sent"))],
    ];
  return [
    ...calls.map(([metric, value]) => ({
      title: `totals / ${metric}`,
      query: `sum(${metric}${S})`,
      kind: "total" as const,
      expected: (load: Load) => by(load.calls, none, value),
    })),
    ...connections.map(([metric, value]) => ({
      title: `totals / ${metric}`,
      query: `sum(${metric}${S})`,
      kind: "total" as const,
      expected: (load: Load) => by(load.connections, none, value),
    })),
  ];
}

/**
 * What Istio's mesh, service and workload dashboards and Kiali's graph ask: their metrics, labels and functions, in our
 * own words, with the variables filled in.
 */
export const istioPanels: readonly Panel[] = [
  ...totals(),
  ...variables(),
  ...mesh,
  ...incoming("service", `destination_service="${serviceOf("books")}"`, "books"),
  ...incoming(
    "workload",
    `destination_workload_namespace=~"${CALLEES}",destination_workload=~"orders"`,
    "orders",
  ),
  ...incomingTcp("service", `destination_service="${serviceOf("ledger")}"`),
  ...incomingTcp("workload", `destination_workload_namespace=~"${CALLEES}",destination_workload=~"ledger"`),
  ...outgoing(),
  ...kiali(),
];
