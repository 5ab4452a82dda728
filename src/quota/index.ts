export { after } from "./after.js";
export { type CompiledQuota, compileQuota } from "./compile-quota.js";
export { chargeFor, generalChargeOf } from "./inspect.js";
export { createLedger, type Ledger, type LedgerPorts } from "./ledger.js";
export { createMemoryStore, type MemoryStore, type MemoryStoreOptions } from "./memory-store.js";
export type {
  QuotaFact,
  QuotaHeaders,
  QuotaObserver,
  QuotaOutcome,
  QuotaRefusal,
  QuotaRequest,
  QuotaStage,
} from "./outcome.js";
export { parseQuota } from "./parse-quota.js";
export type {
  Dimension,
  OnStoreFailure,
  Override,
  Quota,
  QuotaResponse,
  RateLimitMapping,
} from "./quota.js";
export {
  createQuotaDomains,
  type MappedDescriptor,
  type MappedState,
  type QuotaDomains,
} from "./quota-domains.js";
export { type Settlement, settle, type Used } from "./settle.js";
export { createQuotaStage, type QuotaStageOptions } from "./stage.js";
export type {
  Addition,
  AdditionRequest,
  Algorithm,
  Allowance,
  Answer,
  Charge,
  ChargeResult,
  CounterKey,
  CounterState,
  CounterStore,
} from "./store.js";
export { StoreError, type StoreFault } from "./store-error.js";
