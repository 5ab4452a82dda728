import { parseSpiffeId, type Workload } from "../attributes/index.js";
import { mapOf, mapView, types } from "../expressions/index.js";
import type { Party, Report } from "./report.js";
import {
  known,
  ofReport,
  positive,
  type ReportAttribute,
  socketText,
  texts,
} from "./vocabulary-attribute.js";

const { int, string } = types;

/** Who called whom, through which proxy. */
export const partyAttributes: readonly ReportAttribute[] = [
  ...partyOf("source", ({ source }) => source),
  ...partyOf("destination", ({ destination }) => destination),
  ofReport(
    "source.namespace",
    string,
    ({ source, attributes }) => known(source?.workload.namespace) ?? certifiedNamespace(attributes),
  ),
  ofReport("destination.namespace", string, ({ destination }) => known(destination?.workload.namespace)),
  ofReport("source.address", string, ({ attributes: { source } }) => socketText(source.ip, source.port)),
  ofReport("destination.address", string, ({ attributes: { destination } }) =>
    socketText(destination.ip, destination.port),
  ),
  ofReport("destination.service.name", string, ({ service }) => known(service?.name)),
  ofReport("destination.service.namespace", string, ({ service }) => known(service?.namespace)),
  ofReport("destination.service.host", string, ({ service }) => known(service?.host)),
  ...peerOf("downstream_peer", ({ source }) => source),
  ...peerOf("upstream_peer", ({ destination }) => destination),
  ofReport("context.reporter.kind", string, ({ side }) => (side === "server" ? "inbound" : "outbound")),
  ofReport("context.reporter.uid", string, ({ reporter }) => known(reporter.id)),
  ofReport("context.reporter.workload.name", string, ({ reporter }) => known(reporter.party?.workload.name)),
  ofReport("context.reporter.workload.namespace", string, ({ reporter }) =>
    known(reporter.party?.workload.namespace),
  ),
  ofReport("node.id", string, ({ reporter }) => known(reporter.id)),
  ofReport("node.cluster", string, ({ reporter }) => known(reporter.cluster)),
  ofReport("upstream.cluster", string, ({ upstream }) => known(upstream.cluster)),
  ofReport("upstream.address", string, ({ upstream }) => socketText(upstream.address, upstream.port)),
  ofReport("upstream.port", int, ({ upstream }) => positive(upstream.port)),
  ofReport("upstream.attempts", int, ({ upstream }) => BigInt(upstream.attempts)),
  ofReport("upstream.request_attempt_count", int, ({ upstream }) => BigInt(upstream.attempts)),
  ofReport("upstream.transport_failure_reason", string, ({ upstream }) => known(upstream.transportFailure)),
];

type PartyOf = (report: Report) => Party | undefined;

function partyOf(end: "source" | "destination", of: PartyOf): readonly ReportAttribute[] {
  const workload = (report: Report): Workload | undefined => of(report)?.workload;
  return [
    ofReport(`${end}.workload.name`, string, (report) => known(workload(report)?.name)),
    ofReport(`${end}.workload.namespace`, string, (report) => known(workload(report)?.namespace)),
    ofReport(`${end}.labels`, mapOf(string), (report) => labelsOf(of(report))),
    ofReport(`${end}.app`, string, (report) => workload(report)?.labels.get("app")),
    ofReport(`${end}.version`, string, (report) => workload(report)?.labels.get("version")),
    ofReport(`${end}.canonical_service`, string, (report) => known(of(report)?.canonicalService)),
    ofReport(`${end}.canonical_revision`, string, (report) => known(of(report)?.canonicalRevision)),
    ofReport(`${end}.cluster`, string, (report) => known(of(report)?.cluster)),
  ];
}

/** As Istio's proxies call the fields of a peer. */
function peerOf(name: "downstream_peer" | "upstream_peer", of: PartyOf): readonly ReportAttribute[] {
  const workload = (report: Report): Workload | undefined => of(report)?.workload;
  return [
    ofReport(`${name}.workload`, string, (report) => known(workload(report)?.name)),
    ofReport(`${name}.namespace`, string, (report) => known(workload(report)?.namespace)),
    ofReport(`${name}.labels`, mapOf(string), (report) => labelsOf(of(report))),
    ofReport(`${name}.app`, string, (report) => workload(report)?.labels.get("app")),
    ofReport(`${name}.version`, string, (report) => workload(report)?.labels.get("version")),
    ofReport(`${name}.service`, string, (report) => known(of(report)?.canonicalService)),
    ofReport(`${name}.revision`, string, (report) => known(of(report)?.canonicalRevision)),
    ofReport(`${name}.cluster`, string, (report) => known(of(report)?.cluster)),
  ];
}

function labelsOf(party: Party | undefined): ReturnType<ReportAttribute["read"]> {
  return party === undefined ? undefined : mapView(texts, party.workload.labels);
}

/** Of the first name of the certificate that is a SPIFFE id of Istio's form. */
function certifiedNamespace({ identity }: Report["attributes"]): string | undefined {
  for (const name of identity?.names ?? []) {
    const id = parseSpiffeId(name);
    if (id !== undefined) return id.namespace;
  }
  return undefined;
}
