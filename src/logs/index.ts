export { type AccessLog, compileAccessLog } from "./access-log.js";
export {
  type EnvoyFileAccessLog,
  type EnvoyOtelAls,
  envoyFileAccessLog,
  envoyOtelAls,
  type LogProvider,
  type MeshAccessLog,
  meshAccessLogFields,
  type OpenTelemetryTracing,
  opentelemetry,
} from "./access-settings.js";
export { checkLogProvider, checkLogs } from "./check-logs.js";
export { compileDecisionLog, type DecisionLog } from "./decision-log.js";
export type { RulePlace } from "./decision-rules.js";
export {
  type AuditSettings,
  auditSettings,
  type DecisionLogSettings,
  decisionLogSettings,
} from "./decision-settings.js";
export { checkFormat } from "./format.js";
export { accessLogOf, builtinProvider } from "./format-of.js";
export { defaultMasks, type MaskSettings } from "./mask.js";
export { maskSettings } from "./settings-parts.js";
export type { LogLine, OtlpSinkSpec, SinkSpec, Sinks } from "./sink.js";
export { type Environment, sinkOfProvider, sinksOfDecisions } from "./sinks-of.js";
