import { ruleOfChange } from "./body-record.js";
import type { JoinedRecord, ServedResponse } from "./joined.js";

/**
 * A decision in one sentence, as people say it: what was asked by whom, what was answered and why, what it took, and
 * what then happened. One line that moves no terminal's cursor, whatever a caller put into a name.
 */
export function describeDecision(record: JoinedRecord): string {
  const { request_principal: user, response } = record;
  return sayInOneLine(
    [
      `${subjectOf(record)}: ${verdictOf(record)}${user === null ? "" : ` as user ${user}`}`,
      ...refusedCredentials(record),
      ...record.quota.map(takeOf(record)),
      ...trials(record),
      ...bodiesOf(record),
      ...(response === null ? [] : outcomeOf(record, response)),
    ].join(", "),
  );
}

/** `text` with every character that has no width of its own, controls above all, written as `\u{HEX}`. */
export function sayInOneLine(text: string): string {
  return plain.test(text)
    ? text
    : text.replace(hidden, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

const plain = /^[\x20-\x7e]*$/;
/** Controls (C1 too, which terminals obey), direction marks, line separators, halves of characters. */
const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function subjectOf(record: JoinedRecord): string {
  const { protocol, method, host, path, source_principal: principal, source_ip: ip } = record;
  const caller = [principal, ip].find((name) => name !== null && name !== "");
  const from = caller === undefined ? "" : ` from ${caller}`;
  if (protocol === "tcp") return `connection to ${workloadOf(record) ?? "a workload that is unknown"}${from}`;
  if (method === null && host === null && path === null) return `a request that could not be read${from}`;
  return `${method ?? "?"} ${host ?? ""}${path ?? ""}${from}`;
}

function workloadOf(record: JoinedRecord): string | undefined {
  const { destination_namespace: namespace, destination_workload: name } = record;
  if (namespace === null) return undefined;
  return name === null || name === "" ? `a workload of ${namespace}` : `${namespace}/${name}`;
}

function verdictOf(record: JoinedRecord): string {
  switch (record.outcome) {
    case "allowed":
      return `allowed${reasonOf(record)}${took(record)}`;
    case "denied":
      return `${record.allowed === true ? "allowed" : "refused"}${reasonOf(record)}${took(record)}`;
    case "shadow_denied":
      return `passed, although refused${reasonOf(record)}${took(record)}: Envoy's filter is in shadow mode`;
    case "denied_but_served":
      return `ALARM, served although refused${reasonOf(record)}${took(record)}`;
    case "shadow_error":
      return `passed, although its check had no answer${waited(record)}: Envoy's filter is in shadow mode`;
    case "error":
      if (record.allowed === true) return brokenOff(record, "had no answer that it could use");
      return `refused by Envoy, whose check had no answer that it could use${waited(record)}`;
    case "timeout":
      if (record.allowed === true) return brokenOff(record, "had no answer in time");
      return `refused by Envoy, whose check had no answer in time${waited(record)}`;
  }
}

/** Of ext_proc: the decision arrived, and what Envoy asked later was not answered. */
function brokenOff(record: JoinedRecord, why: string): string {
  return `allowed${reasonOf(record)}${took(record)}, then refused by Envoy, which ${why} about a later part`;
}

/** Reasons that need a word more, or another one, than their name has. */
const inWords: ReadonlyMap<string, string> = new Map([
  ["no_policy", "since no policy applies"],
  ["not_denied", "since no DENY rule matched"],
  ["no_allow_policy_matched", "since no ALLOW rule matched"],
]);

function reasonOf({ allowed, stage, reason, policy, rule, failed_open: failedOpen }: JoinedRecord): string {
  const by = policy === null ? "" : ` by policy ${policy}${rule === null ? "" : ` rule ${rule}`}`;
  const known = reason === null ? undefined : inWords.get(reason);
  const isSaid = policy !== null && (reason === "allowed_by_policy" || reason === "denied_by_policy");
  const why = [
    ...(known === undefined ? [] : [` ${known}`]),
    ...(known !== undefined || isSaid || reason === null ? [] : [` (${stage ?? "?"}: ${reason})`]),
  ].join("");
  const open = failedOpen && allowed === true ? ", although its policy failed (it fails open)" : "";
  return `${by}${why}${open}`;
}

function took({ duration_ms: ours, response }: JoinedRecord): string {
  if (ours !== null) return ` in ${ms(ours)}`;
  const theirs = response?.check_latency_ms ?? null;
  return theirs === null ? "" : ` in ${ms(theirs)} (as Envoy saw it)`;
}

/** What Envoy says it waited for an answer. */
function waited({ response }: JoinedRecord): string {
  const latency = response?.check_latency_ms ?? null;
  return latency === null ? "" : ` after ${ms(latency)}`;
}

function refusedCredentials({ authn_refused: refused }: JoinedRecord): string[] {
  return (refused ?? []).map(({ method, reason }) => `credential (${method}) not taken: ${reason}`);
}

type Take = JoinedRecord["quota"][number];

function takeOf({ allowed }: JoinedRecord): (take: Take) => string {
  return ({ quota, cost, limit, remaining }) =>
    allowed === false
      ? `quota ${quota} had ${remaining} of ${limit} for ${cost}`
      : `quota ${quota} took ${cost} of ${limit} (${remaining} left)`;
}

function trials({ dry_run: tried }: JoinedRecord): string[] {
  return tried
    .filter(({ result }) => result === "denied")
    .map(({ action, policy, rule }) => {
      const name = policy === undefined ? `the ${action} policies on trial` : `policy ${policy} on trial`;
      return `${name}${rule === undefined ? "" : ` (rule ${rule})`} would refuse it`;
    });
}

/** What body policies did, and what they should have done. */
function bodiesOf({ allowed, body, unmet, outcome }: JoinedRecord): string[] {
  const alarm = unmet.map((name) => `ALARM, body policy ${name} was asked for and did not act`);
  if (body === null) return alarm;
  const { refused } = body;
  const isLater = refused !== null && !(allowed === false && outcome === "denied");
  return [
    ...changesOf(body),
    ...body.dry_run.map(({ policy, reason }) => `body policy ${policy} on trial would refuse it (${reason})`),
    ...body.usage.map(({ quota, units }) => `quota ${quota} was charged ${units} in all`),
    ...(body.unscanned ? ["not all of the body was looked at"] : []),
    ...(isLater ? [laterOf(refused)] : []),
    ...alarm,
  ];
}

/** Rules over headers, and those that put another body in place, have names of ours; all else changed values in bodies. */
const headerRule = /^(?:request|response)\.headers\[\d+\]$/;
const replacementRule = "response.replaceErrors";

function changesOf({ rules, changes }: NonNullable<JoinedRecord["body"]>): string[] {
  const byPolicy = new Map<string, { values: number; headers: number; isReplaced: boolean }>();
  let named = 0;
  for (const [key, count] of Object.entries(rules)) {
    const [policy, rule] = ruleOfChange(key);
    const done = byPolicy.get(policy) ?? { values: 0, headers: 0, isReplaced: false };
    byPolicy.set(policy, done);
    if (headerRule.test(rule)) done.headers += count;
    else if (rule === replacementRule) done.isReplaced = true;
    else done.values += count;
    named += count;
  }
  const said = [...byPolicy].map(([policy, { values, headers, isReplaced }]) => {
    const what = [...counted(values, "value"), ...counted(headers, "header")].join(" and ");
    const parts = [...(isReplaced ? ["body replaced"] : []), ...(what === "" ? [] : [`${what} changed`])];
    return `${parts.join(" and ")} by ${policy}`;
  });
  const [others] = counted(changes - named, "change");
  return others === undefined ? said : [...said, `${others} by other body policies`];
}

function counted(count: number, what: string): string[] {
  return count <= 0 ? [] : [`${count} ${what}${count === 1 ? "" : "s"}`];
}

function laterOf({
  policy,
  reason,
  phase,
}: NonNullable<NonNullable<JoinedRecord["body"]>["refused"]>): string {
  const what = phase === null ? "then refused" : `its ${phase} refused`;
  return `${what}${policy === "" ? "" : ` by body policy ${policy}`} (${reason})`;
}

function outcomeOf(record: JoinedRecord, response: ServedResponse): string[] {
  const bytes = size(response.response_bytes);
  if (response.response_code === null) return [connectionOf(response)];
  const status = `${response.response_code}${grpcOf(response)}`;
  const detail = response.code_details;
  const tries = response.attempts > 1 ? `, after ${response.attempts} attempts` : "";
  const seen = `${tries}${seenOf(response)}${response.event === "close" ? "" : ", still under way"}`;
  if (response.response_code === 0) return [`no response was sent${detailOf(detail)}${seen}`];
  if (detail === "via_upstream" || (detail === null && response.upstream_ms !== null)) {
    const time = response.upstream_ms ?? response.duration_ms;
    return [`upstream answered ${status}${time === null ? "" : ` in ${ms(time)}`}, ${bytes}${seen}`];
  }
  const isRefusal =
    record.outcome === "denied" && (detail === "ext_authz_denied" || detail === "gatehouse_denied");
  return [`Envoy answered ${status}${isRefusal ? "" : detailOf(detail)}${isRefusal ? "" : seen}`];
}

function connectionOf(response: ServedResponse): string {
  const { request_bytes: sent, response_bytes: received, duration_ms: duration, event } = response;
  const how = event === "close" ? "connection ended" : "connection open";
  const time = duration === null ? "" : ` ${event === "close" ? "after" : "for"} ${ms(duration)}`;
  return `${how}${time}, ${size(sent)} from the caller, ${size(received)} back${seenOf(response)}`;
}

function detailOf(detail: string | null): string {
  return detail === null ? "" : ` (${detail})`;
}

/** What Envoy has to say when something went wrong. */
function seenOf({ flags, upstream_failure: failure, termination }: ServedResponse): string {
  const all = [flags === null ? null : `flags ${flags}`, failure, termination].filter((one) => one !== null);
  return all.length === 0 ? "" : ` [${all.join("; ")}]`;
}

function grpcOf({ grpc_status: status }: ServedResponse): string {
  return status === null ? "" : ` (grpc-status ${status})`;
}

/** Two digits that count. */
function ms(value: number): string {
  if (value >= 10_000) return `${Math.round(value / 100) / 10} s`;
  return value >= 10 ? `${Math.round(value)} ms` : `${Number(value.toPrecision(2))} ms`;
}

const units = ["B", "KB", "MB", "GB", "TB"];

/** By thousands. */
function size(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (Math.round(value) >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 10 ? Math.round(value) : Math.round(value * 10) / 10} ${units[unit]}`;
}
