export type { ReportObserver } from "./custom-metric.js";
export { createDecisionRequests, DECISION_REQUESTS } from "./decision-requests.js";
export { createIstioMetrics, defaultStandardMetricOptions } from "./istio-metrics.js";
export { keysRead } from "./keys-read.js";
export { type Metric, metricClashes } from "./metric.js";
export { parseMetric } from "./metric-parse.js";
export type {
  AccessLogRule,
  Recorder,
  ReportPlans,
  SpanTag,
  TracingRule,
} from "./plan.js";
export {
  compileReportPlans,
  type DefaultProviders,
  type ProviderUse,
} from "./plans.js";
export type {
  CheckOutcomeAtProxy,
  Party,
  Report,
  ReportBody,
  ReportCheck,
  ReportEvent,
  Reporter,
  ReportQuota,
  ReportSide,
} from "./report.js";
export { providersNamed, type Telemetry, unusedTelemetries } from "./telemetry.js";
export { parseTelemetry } from "./telemetry-parse.js";
export { isSecretHeader, isUrlHeader } from "./vocabulary-attribute.js";
