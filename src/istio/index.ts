export type { AuthorizationPolicy } from "./authorization-policy.js";
export { type CompiledAuthorizationPolicy, compileAuthorizationPolicy, toRbac } from "./compile.js";
export { nearestMiss } from "./explain.js";
export type { LegacyResource } from "./legacy/model.js";
export { parseLegacy } from "./legacy/parse.js";
export { type LegacyFilter, translateLegacy } from "./legacy/translate.js";
export { refuseObligations, trialObligations, unknownObligations } from "./obligations.js";
export { parseAuthorizationPolicy } from "./parse-authorization-policy.js";
export {
  completeRequestAuthentication,
  parseRequestAuthentication,
} from "./parse-request-authentication.js";
export { type CustomRules, planAuthorization } from "./plan.js";
export { planAuthentication } from "./plan-authentication.js";
export type { RequestAuthentication } from "./request-authentication.js";
export { type Attachment, isMeshWide, policyNamespaces, selects } from "./select.js";
export type { Protocol } from "./translate.js";
export type { TrustDomains } from "./trust-domain.js";
