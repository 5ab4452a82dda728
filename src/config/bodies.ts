import {
  type BodyBudget,
  type BodyPlan,
  type BodyPolicy,
  type CompiledBodyPolicy,
  compileBodyPolicy,
  createBodyPlan,
  type UsageObserver,
  type UsagePorts,
} from "../body/index.js";
import type { Provider } from "../engine/index.js";
import type { CompiledQuota } from "../quota/index.js";
import type { Compiled, CompiledBodyDocument, Selected } from "./policy-index.js";
import type { QuotaPorts } from "./quotas.js";

/** What body policies are made with, beside quotas and RegoPolicies. */
export interface BodyPorts {
  readonly usage: UsageObserver;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** Of all bodies under way in this process. */
  readonly budget?: BodyBudget | undefined;
}

/** Makes a BodyPolicy ready to act. */
export function compileBodyDocument(policy: BodyPolicy): CompiledBodyDocument {
  const { namespace, selector } = policy;
  return { attachment: { namespace, selector, targetRefs: [] }, compiled: compileBodyPolicy(policy) };
}

/** All that is loaded, from which plans of workloads are made. */
export interface BodyContext {
  readonly all: readonly CompiledBodyPolicy[];
  readonly rego: ReadonlyMap<string, Provider>;
  /** Undefined: usage is not charged. */
  readonly usage: UsagePorts | undefined;
  readonly budget: BodyBudget | undefined;
}

/** What plans of body policies are made from; undefined: there is no BodyPolicy. */
export function bodyContextOf(
  compiled: Iterable<Compiled>,
  rego: ReadonlyMap<string, Provider>,
  { ledger }: QuotaPorts,
  ports: BodyPorts | undefined,
): BodyContext | undefined {
  const all: CompiledBodyPolicy[] = [];
  const quotas = new Map<string, CompiledQuota>();
  for (const { body, quota } of compiled) {
    if (body !== undefined) all.push(body.compiled);
    if (quota !== undefined) quotas.set(quota.label, quota.quota);
  }
  if (all.length === 0) return undefined;
  const usage = ports && { ledger, quotas, observer: ports.usage, now: ports.now };
  return { all, rego, usage, budget: ports?.budget };
}

/** The plan of one workload: what does not select it acts where a decision names it, whichever namespace it is in. */
export function makeBodyPlan(
  { body }: Pick<Selected, "body">,
  { all, rego, usage, budget }: BodyContext,
): BodyPlan {
  const selected = new Set(body.map(({ compiled }) => compiled));
  const policies = all.map((policy) =>
    selected.has(policy) || policy.obligationOnly ? policy : { ...policy, obligationOnly: true },
  );
  return createBodyPlan(policies, { rego: (name) => rego.get(name), usage, budget });
}
