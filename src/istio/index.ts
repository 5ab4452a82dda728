export type {
  AuthorizationPolicy,
  Condition,
  Operation,
  Rule,
  Selector,
  Source,
  TargetRef,
} from "./authorization-policy.js";
export { type CompiledAuthorizationPolicy, compileAuthorizationPolicy, toRbac } from "./compile.js";
export { type NearestMiss, nearestMiss } from "./explain.js";
export type { EarlyAuthorizationPolicy, LegacyResource } from "./legacy/model.js";
export { parseLegacy } from "./legacy/parse.js";
export { type LegacyFilter, type LegacyTarget, translateLegacy } from "./legacy/translate.js";
export { parseAuthorizationPolicy } from "./parse-authorization-policy.js";
export { type AuthorizationPlan, type CustomRules, planAuthorization } from "./plan.js";
export { type Attachment, isMeshWide, policyNamespaces, selects } from "./select.js";
export type { Protocol } from "./translate.js";
export type { TrustDomains } from "./trust-domain.js";
