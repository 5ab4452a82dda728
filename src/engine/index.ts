export { check, refuse } from "./check.js";
export { type Decision, type DryRun, deny, fail, grpcCode } from "./decision.js";
export { type AppendAction, type Edits, type HeaderEdit, noEdits } from "./edits.js";
export type { Provider, ProviderRequest, Verdict } from "./provider.js";
export { noQuota } from "./quota.js";
export type {
  Chain,
  ClientCertHeader,
  ClientCertHeaders,
  CustomFilter,
  MeshSettings,
  OwnPolicy,
  Plan,
  Snapshot,
  XffSettings,
} from "./snapshot.js";
