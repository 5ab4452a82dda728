export type { ExpressionUse, MetricLimits, ReportObserver } from "./custom-metric.js";
export { createDecisionRequests, DECISION_REQUESTS } from "./decision-requests.js";
export { createIstioMetrics, defaultStandardMetricOptions, istioMetricNames } from "./istio-metrics.js";
export { type Metric, metricClashes } from "./metric.js";
export { parseMetric } from "./metric-parse.js";
export type {
  AccessLogRule,
  Recorder,
  ReportInput,
  ReportPlan,
  ReportPlans,
  SpanTag,
  TracingRule,
} from "./plan.js";
export {
  type CompiledReportPlans,
  compileReportPlans,
  type DefaultProviders,
  type ProviderUse,
  type ReportPlansInput,
  type ReportPlansPorts,
} from "./plans.js";
export type {
  CheckOutcomeAtProxy,
  Party,
  Report,
  ReportCheck,
  ReportEvent,
  Reporter,
  ReportQuota,
  ReportSide,
} from "./report.js";
export { providersNamed, type Telemetry, unusedTelemetries } from "./telemetry.js";
export { parseTelemetry } from "./telemetry-parse.js";
export { reportVocabulary } from "./vocabulary.js";
export { isSecretHeader } from "./vocabulary-attribute.js";
