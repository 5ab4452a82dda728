export { createDirectorySource, type DirectorySource } from "./directory-source.js";
export { createDownloads, type Downloads } from "./downloads.js";
export type { GrpcProviderOptions } from "./ext-authz-grpc.js";
export type { HttpProviderOptions } from "./ext-authz-http.js";
export { createHttpClient, type HttpClient } from "./http.js";
export type { EgressOptions } from "./http-egress.js";
export { createIntrospectionClient, type IntrospectionClient } from "./introspection.js";
export { createOpaCompiler, type OpaCompiler, type OpaCompilerOptions } from "./opa-compiler.js";
export type {
  AuthorTools,
  CheckRequest,
  CheckResult,
  Coverage,
  DepsRequest,
  DepsResult,
  EvalRequest,
  EvalResult,
  FormatRequest,
  FormatResult,
  InspectRequest,
  InspectResult,
  TestOutcome,
  TestRequest,
  TestResult,
} from "./opa-tools.js";
export { createSpanExporters, type OtlpPorts, type SpanExporters } from "./otlp-exporters.js";
export {
  type ClosableProvider,
  createProvider,
  type ProviderOptions,
} from "./providers.js";
export type { RedisObserver, RedisPorts } from "./redis-client.js";
export type { RedisStoreOptions } from "./redis-options.js";
export { createRedisStore } from "./redis-store.js";
export { createRemoteKeys, keyOfLocator } from "./remote-keys.js";
export type { KeyEvent, KeyTimes } from "./remote-keys-source.js";
export type { KeyState } from "./remote-keys-state.js";
export { createSinks, type SinkPorts } from "./sinks.js";
export type { SinkLoss, SinkObserver } from "./sinks-ports.js";
