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
export { type Chain, type ChainRead, type ChainState, createChain, newChain, readChain } from "./chain.js";
export {
  type ChainFault,
  type ChainVerdict,
  type ChainVerifier,
  createVerifier,
  type VerifyOptions,
} from "./chain-verify.js";
export { checkLogProvider, checkLogs, type LogSettings } from "./check-logs.js";
export { compileDecisionLog, type DecisionLog, type DecisionLogPorts } from "./decision-log.js";
export type { RulePlace } from "./decision-rules.js";
export {
  type AuditSettings,
  auditSettings,
  type DecisionLogSettings,
  decisionLogSettings,
} from "./decision-settings.js";
export { checkFormat } from "./format.js";
export { type AccessLogSpec, accessLogOf, builtinProvider } from "./format-of.js";
export { defaultMasks, type MaskSettings } from "./mask.js";
export { maskSettings, type Receiver } from "./settings-parts.js";
export type { LogLine, OtlpSinkSpec, SinkSpec, Sinks } from "./sink.js";
export { auditSink } from "./sink-names.js";
export { type Environment, sinkOfProvider, sinksOfDecisions } from "./sinks-of.js";
