export { compilePermission, compilePrincipal, compileRbacPolicy, jwtFilter } from "./compile.js";
export {
  type CompiledRule,
  compileRbac,
  type RbacFilter,
  type RuleRef,
  type RuleSet,
  sortRules,
} from "./filter.js";
export type * from "./model.js";
export {
  joinObligations,
  maxObligations,
  noObligations,
  type Obliging,
  obligationOf,
  sortObligations,
} from "./obligations.js";
export { type EnvoyRbac, parseEnvoyRbac } from "./parse.js";
export { maxProgramSize } from "./regex-syntax.js";
