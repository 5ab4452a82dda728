import type { JsonObject } from "../attributes/index.js";
import type { DryRun } from "../engine/index.js";
import type { Party, Report } from "../report/index.js";
import { bodyRecordOf } from "./body-record.js";
import { brief, briefCopy, briefText } from "./brief.js";
import type { KnownDecision, ServedRecord, ServedResponse } from "./joined.js";
import type { QuotaTake } from "./record.js";

/** How many quotas and dry runs of one report are kept: Envoy's metadata are not ours to trust. */
const MAX_FACTS = 16;
/** As many as a decision may ask for. */
const MAX_OBLIGATIONS = 64;
const MAX_ID = 128;
const MAX_NAME = 256;

/**
 * What a report adds to its decision. Undefined when it is about none: no check was asked or, of one without an
 * answer, the request is still under way and will be reported again.
 */
export function servedOf(report: Report): ServedRecord | undefined {
  const { check, event } = report;
  const id = briefText(check.decisionId, MAX_ID);
  if (id === null && (check.outcome === "none" || event !== "close")) return undefined;
  return {
    decision_id: id,
    outcome: check.outcome,
    decision: decisionOf(report, id),
    response: responseOf(report),
    body: check.body === undefined ? null : bodyRecordOf(check.body),
    unmet: namesOf(check.unmet),
  };
}

function decisionOf(report: Report, id: string | null): KnownDecision {
  const { attributes, check, destination } = report;
  const { request } = attributes;
  return {
    time: timeOf(report),
    decision_id: id,
    allowed: check.allowed ?? null,
    code: check.code ?? null,
    stage: briefText(check.stage, MAX_NAME),
    policy: briefText(check.policy, MAX_NAME * 2),
    rule: check.rule ?? null,
    reason: briefText(check.reason, MAX_NAME),
    dry_run: check.dryRun.length === 0 ? nothingTried : check.dryRun.slice(0, MAX_FACTS).flatMap(dryRunOf),
    quota: check.quota.length === 0 ? nothingTaken : check.quota.slice(0, MAX_FACTS).map(takeOf),
    failed_open: check.failedOpen,
    obligations: namesOf(check.obligations),
    snapshot: check.snapshot ?? null,
    duration_ms: null,
    protocol: attributes.protocol,
    method: brief(request?.method),
    host: brief(request?.host),
    path: request === undefined ? null : briefCopy(request.urlPath),
    source_ip: attributes.source.ip?.text ?? null,
    source_principal: briefCopy(attributes.source.principal),
    request_principal: briefText(check.principal),
    authn_method: null,
    authn_refused: null,
    destination_namespace: destination?.workload.namespace ?? null,
    destination_workload: destination?.workload.name ?? null,
  };
}

const noNames: readonly string[] = [];

function namesOf(names: readonly string[]): readonly string[] {
  if (names.length === 0) return noNames;
  return names.slice(0, MAX_OBLIGATIONS).map((name) => briefText(name, MAX_NAME * 2) ?? "");
}

const nothingTried: readonly DryRun[] = [];
const nothingTaken: readonly QuotaTake[] = [];

function takeOf(taken: QuotaTake): QuotaTake {
  const { cost, limit, remaining } = taken;
  return { quota: briefText(taken.quota, MAX_NAME * 2) ?? "", cost, limit, remaining };
}

const actions: readonly unknown[] = ["ALLOW", "DENY", "REGO", "QUOTA"] satisfies DryRun["action"][];

function dryRunOf(facts: JsonObject): DryRun[] {
  const read = (name: string): unknown => (Object.hasOwn(facts, name) ? facts[name] : undefined);
  const [action, result, policy, rule] = ["action", "result", "policy", "rule"].map(read);
  if (!actions.includes(action) || (result !== "allowed" && result !== "denied")) return [];
  return [
    {
      action: action as DryRun["action"],
      result,
      ...(typeof policy === "string" && { policy: briefText(policy, MAX_NAME * 2) ?? "" }),
      ...(typeof rule === "number" && { rule }),
    },
  ];
}

function responseOf(report: Report): ServedResponse {
  const { reporter, response, times, bytes, upstream, check } = report;
  const connection = response === undefined;
  return {
    time: timeOf(report),
    reporter: briefText(reporter.id, MAX_NAME),
    log_name: briefText(reporter.logName, MAX_NAME),
    side: report.side,
    request_id: connection ? null : briefText(report.streamId, MAX_ID),
    event: report.event,
    response_code: response?.code ?? null,
    code_details: connection ? null : briefText(response.codeDetails, MAX_NAME),
    flags: report.flags === "-" ? null : briefText(report.flags, MAX_NAME),
    duration_ms: times.duration ?? null,
    upstream_ms: upstreamMs(report),
    request_bytes: connection ? bytes.received : report.requestHeadersBytes + report.requestBodyBytes,
    response_bytes: connection ? bytes.sent : response.headersBytes + response.bodyBytes,
    upstream_cluster: briefText(upstream.cluster, MAX_NAME),
    upstream_address: addressOf(upstream),
    upstream_failure: briefText(upstream.transportFailure, MAX_NAME),
    attempts: upstream.attempts,
    grpc_status: response?.grpcStatus ?? null,
    check_latency_ms: check.latencyMs ?? null,
    route: briefText(report.routeName, MAX_NAME),
    termination: briefText(report.terminationDetails, MAX_NAME),
    source_workload: nameOf(report.source),
    destination_workload: nameOf(report.destination),
  };
}

/** What a proxy says may be no time at all. */
function timeOf({ times: { start } }: Report): number {
  return Math.abs(start) <= 8.64e15 ? start : 0;
}

function upstreamMs({ times: { firstUpstreamByteSent, firstUpstreamByteReceived } }: Report): number | null {
  if (firstUpstreamByteReceived === undefined) return null;
  return Math.max(0, firstUpstreamByteReceived - (firstUpstreamByteSent ?? 0));
}

function addressOf({ address, port }: Report["upstream"]): string | null {
  if (address === undefined) return null;
  return address.family === 6 ? `[${address.text}]:${port}` : `${address.text}:${port}`;
}

function nameOf(party: Party | undefined): string | null {
  if (party === undefined) return null;
  return `${party.workload.namespace}/${party.workload.name}`;
}
