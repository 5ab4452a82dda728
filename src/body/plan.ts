import type { Provider } from "../engine/index.js";
import { type BodyBudget, type BudgetedFlow, withinBudget } from "./budget.js";
import type { CompiledBodyPolicy } from "./compile-body-policy.js";
import type { PlannedPolicy } from "./planned-policy.js";
import { refusalFor } from "./refusals.js";
import { beginRequest } from "./request-begin.js";
import { askForReadable } from "./response-request.js";
import { createResponseRun } from "./response-run.js";
import type { BodyFlow, BodyInput, BodyPlan, BodyRefusal, BodyRun } from "./run.js";
import { createRunRecord } from "./run-record.js";
import { compileUsage, type UsagePorts } from "./usage.js";
import type { MessageInput } from "./vocabulary.js";

/** What the policies of a workload are asked with. */
export interface BodyPlanPorts {
  /** By `NAMESPACE/NAME` of a RegoPolicy; undefined: there is none, so rules that ask it refuse. */
  readonly rego: (policy: string) => Provider | undefined;
  /** Undefined: usage is not charged. */
  readonly usage: UsagePorts | undefined;
  /** Of all bodies under way; absent: there is none. */
  readonly budget?: BodyBudget | undefined;
}

/**
 * The plan of one workload: `policies` are those that select it, with the ones that act by obligation only.
 * They act in the order of their names (NAMESPACE/NAME), each on the message as the one before left it. A
 * policy that a decision names acts whatever its `match` says; one that nobody knows refuses the request.
 */
export function createBodyPlan(policies: readonly CompiledBodyPolicy[], ports: BodyPlanPorts): BodyPlan {
  const planned: readonly PlannedPolicy[] = [...policies]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((policy) => ({
      ...policy,
      usage:
        policy.usage === undefined || ports.usage === undefined
          ? undefined
          : compileUsage(policy.usage, ports.usage),
    }));
  const known = new Set(planned.map(({ name }) => name));
  const select = (input: BodyInput): readonly PlannedPolicy[] => {
    const { obligations, attributes, workload } = input;
    const message: MessageInput = {
      attributes,
      workload,
      response: undefined,
      requestBody: undefined,
      responseBody: undefined,
    };
    return planned.filter(
      ({ name, obligationOnly, matches }) =>
        obligations.includes(name) || (!obligationOnly && matches(message)),
    );
  };
  return {
    readsIdentity: planned.some(({ readsIdentity }) => readsIdentity),
    begin(input) {
      try {
        // INVARIANT: what a decision demands and nobody can do is no decision to let pass.
        if (!input.obligations.every((name) => known.has(name))) return refusalFor("unknown_obligation", "");
        const selected = select(input);
        const judging = input.isTrial === true ? selected.map(tried) : selected;
        return judging.length === 0 ? undefined : beginRun(judging, input, ports);
      } catch {
        return refusalFor("internal_error", "");
      }
    },
  };
}

function tried(policy: PlannedPolicy): PlannedPolicy {
  return { ...policy, dryRun: true };
}

function beginRun(
  policies: readonly PlannedPolicy[],
  input: BodyInput,
  { rego, budget }: BodyPlanPorts,
): BodyRun | BodyRefusal {
  const record = createRunRecord();
  record.policies.push(...policies.map(({ name }) => name));
  let isRequestDone = false;
  const fulfil = (name: string): void => {
    if (input.obligations.includes(name)) record.fulfilled.add(name);
  };
  const onDone = (): void => {
    isRequestDone = true;
    for (const { name, dryRun, response } of policies) if (!dryRun && response === undefined) fulfil(name);
  };
  const begun = beginRequest({ policies, input, record, rego, onDone });
  if ("httpStatus" in begun) return begun;
  for (const { dryRun, response, usage } of policies) {
    const encodings = response?.encodings ?? (usage?.reads === "received" ? "decode" : undefined);
    if (!dryRun && encodings !== undefined) askForReadable(begun.state.headers, encodings);
  }
  const response = createResponseRun({
    policies,
    input,
    record,
    attributes: () => begun.late.attributes(),
    onDone: (name) => {
      if (isRequestDone) fulfil(name);
    },
  });
  const counted: BudgetedFlow[] = [];
  const within = (flow: BodyFlow | undefined, phase: "request" | "response"): BodyFlow | undefined => {
    if (flow === undefined || budget === undefined) return flow;
    const one = withinBudget(flow, budget, (refusal) => record.refused(refusal, phase));
    counted.push(one);
    return one;
  };
  return {
    requestEdits: begun.state.headers.edits(),
    request: within(begun.flow, "request"),
    response: response.need,
    responseHead(head) {
      const step = response.head(head);
      return step.kind === "go" ? { ...step, flow: within(step.flow, "response") } : step;
    },
    report: record.report,
    close() {
      for (const flow of counted) flow.free();
      response.close();
    },
  };
}
