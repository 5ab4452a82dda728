import type { JoinedRecord } from "./joined.js";
import { sayInOneLine } from "./sentence.js";

/**
 * What would help whoever asks why: one line each, in the order in which to try. Empty when all went as it should.
 */
export function adviseOn(record: JoinedRecord): readonly string[] {
  return [...ofOutcome(record), ...ofObligations(record), ...ofReason(record)].map(sayInOneLine);
}

const explain =
  "`gatehouse check --config PATH --request FILE --explain` tries such a request again and names the nearest rule" +
  " and the condition that failed";

function ofOutcome({ outcome, known_from: knownFrom, response, decision_id: id }: JoinedRecord): string[] {
  const seen = response?.check_latency_ms ?? null;
  const waited = seen === null ? "" : `; it waited ${Math.round(seen)} ms`;
  const elsewhere =
    knownFrom === "access_log" && id !== null
      ? ["known from Envoy's log only: another replica decided it, or its record was overwritten since"]
      : [];
  switch (outcome) {
    case "timeout":
    case "shadow_error":
    case "error":
      if (response?.code_details?.startsWith("ext_proc") === true) {
        return [
          "Envoy had no answer about a part of this request: see `gatehouse_ext_proc_streams_total` for `failed`, the" +
            " log of this time, and `message_timeout` of the ext_proc filter (200 ms where it is not set)",
          ...elsewhere,
        ];
      }
      return [
        `Envoy had no answer${waited}: is Gatehouse up and reachable for it, and is \`grpc_service.timeout\` of its` +
          " filter (200 ms where it is not set) longer than `gatehouse_check_duration_seconds`?",
        "what was decided, if it was, stands in a record of its own: such a check has no `decision_id` in Envoy's log",
      ];
    case "denied_but_served":
      return [
        "Envoy's log says that an upstream answered what this decision refused: look at once whether a listener or" +
          " route of that Envoy passes ext_authz by, or runs it after the request was sent on",
        ...elsewhere,
      ];
    case "shadow_denied":
      return [
        "Envoy's filter has `shadow_mode: true`: without it the caller would have been refused",
        ...elsewhere,
      ];
    default:
      return elsewhere;
  }
}

function ofObligations({ unmet }: JoinedRecord): string[] {
  if (unmet.length === 0) return [];
  return [
    `the decision asked for ${unmet.join(", ")}, and Envoy's log does not say that it was carried out: look whether the` +
      " route has the ext_proc filter, behind ext_authz, and whether its `metadata_options` let our metadata in" +
      " (`gatehouse doctor`)",
  ];
}

function ofReason(record: JoinedRecord): string[] {
  const { allowed, reason, policy, stage, body } = record;
  if (allowed !== false && body !== null && body.refused !== null) {
    const { policy: by, reason: why } = body.refused;
    return [...(by === "" ? [] : [`body policy ${by} refused it after it was allowed`]), table(why)];
  }
  if (allowed !== false || reason === null) return [];
  switch (reason) {
    case "denied_by_policy":
      return [
        stage === "rego"
          ? `policy ${policy ?? "?"} said no; \`gatehouse check --explain\` shows what it decided`
          : `${ruleOf(record)} matched, and a DENY wins over every ALLOW; \`gatehouse check --explain\` shows where it stands`,
      ];
    case "no_allow_policy_matched":
      return [
        `ALLOW policies apply to ${workloadOf(record)} and none of their rules matched: ${explain}`,
        ...anonymous(record),
      ];
    case "quota_exceeded":
      return [
        `\`gatehouse quota get ${policy ?? "NAMESPACE/NAME"} --dimension NAME=VALUE\` shows the counter;` +
          " who needs more gets an override in the Quota",
      ];
    case "quota_unavailable":
      return ["the counters could not be reached: see `gatehouse_quota_store_failures_total`"];
    case "unknown_workload":
      return [
        "nothing says which workload the request is for: set `destination.namespace` in the route's" +
          " context_extensions, register the workload, or set `Mesh.spec.defaultWorkload`",
      ];
    case "jwt_verification_failed":
    case "jwks_no_matching_key":
    case "jwks_no_valid_keys":
    case "jwks_fetch_failed":
      return ["compare the token's `kid` with the page `/keys`", table(reason)];
    default:
      return [table(reason)];
  }
}

function ruleOf({ policy, rule }: JoinedRecord): string {
  return `${rule === null ? "" : `rule ${rule} (counted from 0) of `}policy ${policy ?? "?"}`;
}

function workloadOf({ destination_namespace: namespace, destination_workload: name }: JoinedRecord): string {
  if (namespace === null) return "the workload";
  return name === null || name === "" ? `namespace ${namespace}` : `${namespace}/${name}`;
}

function anonymous({ request_principal: user, source_principal: peer }: JoinedRecord): string[] {
  const isKnown = user !== null || (peer !== null && peer !== "");
  return isKnown
    ? []
    : ["the caller is anonymous: it showed neither a credential that is read nor a certificate"];
}

function table(reason: string): string {
  return `what \`${reason}\` means, and what to do: docs/answers.md`;
}
