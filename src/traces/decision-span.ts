import type { Report } from "../report/index.js";
import { tagText } from "./masked.js";
import type { Tags } from "./request-span.js";
import type { Span } from "./span.js";

/** The name of every decision's span. */
export const decisionSpanName = "ext_authz check";

const MAX_QUOTAS = 8;
const MAX_TEXT = 256;

/** Those outcomes that somebody has to look at; a refusal is none. */
const faults: Readonly<Partial<Record<Report["check"]["outcome"], string>>> = {
  error: "the proxy got no answer that it could use",
  timeout: "the proxy waited for an answer as long as it may",
  shadow_error: "the proxy got no answer that it could use, and let pass in shadow mode",
  denied_but_served: "refused, and an upstream answered nevertheless",
};

/** Whether the check went wrong. */
export function decisionStatus({ check }: Report): Pick<Span, "status" | "statusMessage"> {
  const fault = check.unmet.length > 0 ? "served without what the decision asked for" : faults[check.outcome];
  return fault === undefined
    ? { status: "unset", statusMessage: "" }
    : { status: "error", statusMessage: fault };
}

/** The decision as the log entry has it, and what quotas took. */
export function decisionTags({ check }: Report): Tags {
  const tags: Tags = { "gatehouse.outcome": check.outcome };
  const add = (name: string, value: string | number | boolean | undefined): void => {
    if (value === undefined || value === "") return;
    tags[name] = typeof value === "string" ? tagText(value, MAX_TEXT) : value;
  };
  add("gatehouse.decision_id", check.decisionId);
  add("gatehouse.allowed", check.allowed);
  add("gatehouse.code", check.code);
  add("gatehouse.stage", check.stage);
  add("gatehouse.reason", check.reason);
  add("gatehouse.policy", check.policy);
  add("gatehouse.rule", check.rule);
  add("gatehouse.snapshot", check.snapshot);
  if (check.failedOpen) add("gatehouse.failed_open", true);
  add("gatehouse.latency_ms", check.latencyMs);
  if (check.obligations.length > 0) add("gatehouse.obligations", check.obligations.join(","));
  if (check.unmet.length > 0) add("gatehouse.unmet", check.unmet.join(","));
  if (check.body !== undefined) {
    add("gatehouse.body.policies", check.body.policies.join(","));
    add("gatehouse.body.changes", check.body.changed);
    add("gatehouse.body.refused_by", check.body.refused?.policy);
    add("gatehouse.body.refused_reason", check.body.refused?.reason);
  }
  for (const { quota, cost, limit, remaining } of check.quota.slice(0, MAX_QUOTAS)) {
    const name = `gatehouse.quota.${quota}`;
    add(`${name}.cost`, cost);
    add(`${name}.limit`, limit);
    add(`${name}.remaining`, remaining);
  }
  return tags;
}
