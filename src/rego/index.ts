export type {
  BuildRequest,
  BuildResult,
  BuiltinUse,
  BundleRequest,
  BundleResult,
  Modules,
  OpenBundle,
  RegoCompiler,
  RegoFinding,
  RegoVersion,
} from "./compiler.js";
export { queryOfEntrypoint } from "./entrypoint.js";
export { inquiryOf, packageOf, valuesOf } from "./explain.js";
export { isConfiguration, joinData, readFolder } from "./folder.js";
export { completeRegoPolicy, parseRegoPolicy } from "./parse-rego-policy.js";
export { prepareRegoPolicy } from "./prepare.js";
export { createRegoProvider, type RegoFailure, type RegoPorts } from "./provider.js";
export { refusedBuiltins } from "./refused-builtins.js";
export type { RegoPolicy } from "./rego-policy.js";
