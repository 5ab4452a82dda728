export { METRICS_CONTENT_TYPE, renderMetrics } from "./exposition.js";
export {
  type CheckOutcome,
  type ConfigGauges,
  createMetrics,
  type ErrorPlace,
  type Metrics,
  type ProviderResult,
  type ReloadResult,
} from "./metrics.js";
export { type CheckObservation, type DecisionRecord, recordOf } from "./record.js";
export { createDecisionRing, type DecisionFilter, type DecisionRing } from "./ring.js";
