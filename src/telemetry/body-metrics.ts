import type { MetricObject } from "prom-client";
import type { BodyObservation } from "./body-event.js";
import { ruleOfChange } from "./body-record.js";
import type { MetricDefinition } from "./definition.js";
import { createNumberFamily } from "./family.js";

/** What body policies count. */
export interface BodyMetrics {
  /** An exchange under body policies is over. */
  bodiesDone(observation: Pick<BodyObservation, "report" | "refusal">): void;
  /** What a response cost has been settled with a quota, or could not be. */
  usageSettled(quota: string, outcome: (typeof settlements)[number]): void;
  /** What bodies under way keep. */
  readonly bodiesHeld: {
    /** So many bytes more, or less. */
    held(bytes: number): void;
    /** There was no room for one. */
    refused(): void;
  };
  values(): MetricObject[];
}

const settlements = ["even", "taken", "overdrawn", "given_back", "uncounted", "lost", "unknown"] as const;
const policyLabel = { name: "policy", values: "`NAMESPACE/NAME` of a BodyPolicy" } as const;

const policies: MetricDefinition = {
  name: "gatehouse_body_policies_total",
  type: "counter",
  help: "Requests with their responses that a BodyPolicy applied to, by what it did.",
  labels: [policyLabel, { name: "result", values: ["passed", "changed", "refused", "trial_refused"] }],
};

const findings: MetricDefinition = {
  name: "gatehouse_body_findings_total",
  type: "counter",
  help: "What rules of BodyPolicies found or changed.",
  labels: [policyLabel, { name: "rule", values: "the rule's name in the policy" }],
};

const bytes: MetricDefinition = {
  name: "gatehouse_body_bytes_total",
  type: "counter",
  help: "Bytes of bodies that BodyPolicies looked at.",
  labels: [{ name: "direction", values: ["request", "response"] }],
  startsAtZero: true,
};

const unscanned: MetricDefinition = {
  name: "gatehouse_body_unscanned_total",
  type: "counter",
  help: "Requests with their responses of which not everything was looked at, since the policy says so.",
  labels: [],
  more: "`onLimit: pass`, or a fault of ours under `failOpen`.",
};

const usage: MetricDefinition = {
  name: "gatehouse_body_usage_total",
  type: "counter",
  help: "Units that were charged to a Quota when a response was over.",
  labels: [{ name: "quota", values: "`NAMESPACE/NAME`" }],
};

const settled: MetricDefinition = {
  name: "gatehouse_body_usage_settlements_total",
  type: "counter",
  help: "Responses whose cost was settled with a Quota, by what came of it.",
  labels: [
    { name: "quota", values: "`NAMESPACE/NAME`" },
    { name: "outcome", values: settlements },
  ],
  more: "`unknown`: nobody could tell the cost, so the reserve stays taken; `lost`: the counters could not be reached.",
};

const held: MetricDefinition = {
  name: "gatehouse_body_held_bytes",
  type: "gauge",
  help: "Bytes of bodies that are kept since a policy has not seen enough of them.",
  labels: [],
  more: "Each worker has room for `--max-held-bytes`.",
};

const noRoom: MetricDefinition = {
  name: "gatehouse_body_no_room_total",
  type: "counter",
  help: "Bodies that were refused since `--max-held-bytes` were kept already.",
  labels: [],
  startsAtZero: true,
};

/** The metrics of body policies. */
export const bodyDefinitions: readonly MetricDefinition[] = [
  policies,
  findings,
  bytes,
  unscanned,
  usage,
  settled,
  held,
  noRoom,
];

/** Counts what body policies did: names come from the configuration, all other labels from closed sets. */
export function createBodyMetrics(): BodyMetrics {
  const applied = createNumberFamily(policies);
  const found = createNumberFamily(findings);
  const seen = createNumberFamily(bytes);
  const passed = createNumberFamily(unscanned);
  const charged = createNumberFamily(usage);
  const outcomes = createNumberFamily(settled);
  const kept = createNumberFamily(held);
  const crowded = createNumberFamily(noRoom);
  return {
    bodiesDone({ report, refusal }) {
      const refusedBy = refusal?.policy ?? report?.refused?.policy ?? "";
      if (refusedBy !== "") applied.add(1, refusedBy, "refused");
      if (report === undefined) return;
      const changing = new Set<string>();
      for (const [key, count] of report.changes) {
        const [policy, rule] = ruleOfChange(key);
        if (count <= 0) continue;
        changing.add(policy);
        found.add(count, policy, rule);
      }
      for (const policy of report.policies) {
        if (policy === refusedBy) continue;
        const isTrial = report.dryRun.some((one) => one.policy === policy);
        applied.add(1, policy, isTrial ? "trial_refused" : changing.has(policy) ? "changed" : "passed");
      }
      seen.add(report.requestBytes, "request");
      seen.add(report.responseBytes, "response");
      if (report.unscanned) passed.add(1);
      for (const { quota, units } of report.usage) charged.add(units, quota);
    },
    usageSettled: (quota, outcome) => outcomes.add(1, quota, outcome),
    bodiesHeld: { held: (bytes) => kept.add(bytes), refused: () => crowded.add(1) },
    values: () =>
      [applied, found, seen, passed, charged, outcomes, kept, crowded].map((family) => family.object()),
  };
}
