import { listOf, type MapOperations, mapOf, mapView, textOf, types } from "../expressions/index.js";
import type { ReportQuota } from "./report.js";
import { known, ofReport, type ReportAttribute, texts, whole } from "./vocabulary-attribute.js";

const { bool, double, int, string, timestamp } = types;

/** The decision, what it cost, the connection, and how the proxy sees all of it. */
export const checkAttributes: readonly ReportAttribute[] = [
  ofReport("check.outcome", string, ({ check }) => check.outcome),
  ofReport("check.decision_id", string, ({ check }) => known(check.decisionId)),
  ofReport("check.allowed", bool, ({ check }) => check.allowed),
  ofReport("check.code", int, ({ check }) => whole(check.code)),
  ofReport("check.stage", string, ({ check }) => known(check.stage)),
  ofReport("check.reason", string, ({ check }) => known(check.reason)),
  ofReport("check.policy", string, ({ check }) => known(check.policy)),
  ofReport("check.rule", int, ({ check }) => whole(check.rule)),
  ofReport("check.snapshot", int, ({ check }) => whole(check.snapshot)),
  ofReport("check.failed_open", bool, ({ check }) => check.failedOpen),
  ofReport("check.latency", double, ({ check }) => check.latencyMs),
  ofReport("check.obligations", listOf(string), ({ check }) => check.obligations),
  ofReport("check.unmet", listOf(string), ({ check }) => check.unmet),
  ofReport("check.body.policies", listOf(string), ({ check }) => check.body?.policies),
  ofReport("check.body.changes", int, ({ check }) => whole(check.body?.changed)),
  ofReport("check.body.rules", mapOf(int), ({ check: { body } }) =>
    body === undefined ? undefined : mapView(counts, body.changes),
  ),
  ofReport("check.body.refused_by", string, ({ check }) => known(check.body?.refused?.policy)),
  ofReport("check.body.refused_reason", string, ({ check }) => known(check.body?.refused?.reason)),
  ofReport("check.body.unscanned", bool, ({ check }) => check.body?.unscanned),
  ofReport("quota.names", listOf(string), ({ check }) => check.quota.map(({ quota }) => quota)),
  ...(["cost", "limit", "remaining"] as const).map((field) =>
    ofReport(`quota.${field}`, mapOf(int), ({ check }) => mapView(quotas[field], check.quota)),
  ),
  ofReport("custom_tags", mapOf(string), ({ customTags }) => mapView(texts, customTags)),
  ofReport("connection.id", string, ({ streamId }) => known(streamId)),
  ofReport("connection.event", string, ({ event }) => event),
  ofReport("connection.received.bytes", int, ({ bytes }) => whole(bytes.received)),
  ofReport("connection.sent.bytes", int, ({ bytes }) => whole(bytes.sent)),
  ofReport("connection.duration", double, ({ times }) => times.duration),
  ofReport(
    "connection.mtls",
    bool,
    ({ attributes, tls }) => attributes.identity !== undefined || (tls?.peerPrincipal ?? "") !== "",
  ),
  ofReport("connection.requested_server_name", string, ({ attributes }, budget) =>
    textOf(attributes.sni, budget),
  ),
  ofReport("connection.tls_version", string, ({ tls }) => known(tls?.version)),
  ofReport("connection.uri_san_peer_certificate", string, ({ tls }) => uri(tls?.peerPrincipal)),
  ofReport("connection.uri_san_local_certificate", string, ({ tls }) => uri(tls?.localPrincipal)),
  ofReport("connection.termination_details", string, (report) => known(report.terminationDetails)),
  ofReport("context.time", timestamp, ({ times: { start } }) => (start > 0 ? new Date(start) : undefined)),
  ofReport("context.proxy_error_code", string, ({ flags }) => (flags === "-" ? undefined : known(flags))),
  ofReport("route.name", string, ({ routeName }) => known(routeName)),
  ofReport("xds.route_name", string, ({ routeName }) => known(routeName)),
  ofReport("xds.cluster_name", string, ({ upstream }) => known(upstream.cluster)),
  // Envoy's TrafficDirection: INBOUND 1, OUTBOUND 2.
  ofReport("xds.listener_direction", int, ({ side }) => (side === "server" ? 1n : 2n)),
];

const quotas = {
  cost: quotaMap(({ cost }) => cost),
  limit: quotaMap(({ limit }) => limit),
  remaining: quotaMap(({ remaining }) => remaining),
};

/** How much each rule found, by its name. */
const counts: MapOperations<ReadonlyMap<string, number>> = {
  get: (all, name) => whole(all.get(name)),
  has: (all, name) => all.has(name),
  size: (all) => all.size,
  keys: (all) => all.keys(),
};

/** One number of each quota by its name. */
function quotaMap(of: (quota: ReportQuota) => number): MapOperations<readonly ReportQuota[]> {
  const find = (all: readonly ReportQuota[], name: string): ReportQuota | undefined =>
    all.find(({ quota }) => quota === name);
  return {
    get: (all, name) => {
      const found = find(all, name);
      return found === undefined ? undefined : whole(of(found));
    },
    has: (all, name) => find(all, name) !== undefined,
    size: (all) => all.length,
    keys: (all) => all.map(({ quota }) => quota),
  };
}

function uri(name: string | undefined): string | undefined {
  return name?.includes("://") ? name : undefined;
}
