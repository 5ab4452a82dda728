export { type BodyBudget, type BudgetObserver, createBodyBudget } from "./budget.js";
export { integrityFields } from "./changed-headers.js";
export { type CompiledBodyPolicy, compileBodyPolicy, regoPoliciesOf } from "./compile-body-policy.js";
export { completeBodyPolicy, parseBodyPolicy } from "./parse-body-policy.js";
export { type BodyPlanPorts, createBodyPlan } from "./plan.js";
export type { BodyPolicy } from "./policy.js";
export type {
  BodyFlow,
  BodyInput,
  BodyNeed,
  BodyPlan,
  BodyRefusal,
  BodyReport,
  BodyRun,
  FlowStep,
  HeaderEdits,
  LastStep,
  ResponseHead,
  ResponseStep,
} from "./run.js";
export { type UsageObserver, type UsageOutcome, type UsagePorts, usageFindings } from "./usage.js";
