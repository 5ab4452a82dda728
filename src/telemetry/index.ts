export { METRICS_CONTENT_TYPE, renderMetrics } from "./exposition.js";
export {
  createMetrics,
  type Metrics,
  type ProviderResult,
  type ReloadResult,
} from "./metrics.js";
export { type CheckObservation, type DecisionRecord, recordOf } from "./record.js";
export { createDecisionRing, type DecisionFilter, type DecisionRing } from "./ring.js";
