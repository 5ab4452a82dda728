export { noObligations } from "../rbac/index.js";
export { check, destinationWorkload, mayBeUnknown, refuse } from "./check.js";
export {
  type BodyReason,
  type Decision,
  type DryRun,
  deny,
  fail,
  grpcCode,
  type Reason,
} from "./decision.js";
export { type AppendAction, type Edits, type HeaderEdit, invalidEdit, noEdits } from "./edits.js";
export { obligationsAsked } from "./obligations.js";
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
