import type { EnvoyOtelAls, LogProvider } from "./access-settings.js";
import type { AuditSettings, DecisionLogSettings } from "./decision-settings.js";
import type { Receiver, ReceiverHeader } from "./settings-parts.js";
import type { OtlpSinkSpec, SinkSpec } from "./sink.js";
import { accessSinkName, auditSink, decisionSinkName } from "./sink-names.js";

/** Reads an environment variable, undefined when it is not set. */
export type Environment = (name: string) => string | undefined;

/** The sinks of decisions. */
export function sinksOfDecisions(
  { sinks }: DecisionLogSettings,
  audit: AuditSettings | undefined,
  env: Environment,
): SinkSpec[] {
  const specs: SinkSpec[] = sinks.map(({ name, file, otlp }) => {
    const sink = decisionSinkName(name);
    if (otlp !== undefined) return receiverSink(sink, otlp, env);
    return fileSink(sink, file?.path ?? stdout);
  });
  if (audit === undefined) return specs;
  const { path, keyFile } = audit;
  return [...specs, { kind: "audit", name: auditSink, path, ...(keyFile !== undefined && { keyFile }) }];
}

/** The sink of a provider's access log or spans; undefined for one that neither logs nor traces. */
export function sinkOfProvider(provider: LogProvider, env: Environment): SinkSpec | undefined {
  const { name, envoyFileAccessLog, envoyOtelAls, opentelemetry } = provider;
  if (envoyFileAccessLog !== undefined) return fileSink(accessSinkName(name), envoyFileAccessLog.path);
  if (envoyOtelAls !== undefined) return receiverSink(accessSinkName(name), envoyOtelAls, env);
  return opentelemetry === undefined ? undefined : receiverSink(name, opentelemetry, env);
}

const stdout = "/dev/stdout";

function fileSink(name: string, path: string): SinkSpec {
  return path === stdout ? { kind: "stdout", name } : { kind: "file", name, path };
}

/** Istio's default for a call to a receiver. */
const defaultTimeoutMs = 3000;

function receiverSink(name: string, receiver: Receiver | EnvoyOtelAls, env: Environment): OtlpSinkSpec {
  const { service, port, http, grpc, tls } = receiver;
  return {
    kind: "otlp",
    name,
    protocol: http === undefined ? "grpc" : "http",
    host: service.slice(service.indexOf("/") + 1),
    port,
    path: http?.path ?? "",
    tls,
    timeoutMs: http?.timeout ?? grpc?.timeout ?? defaultTimeoutMs,
    headers: (http?.headers ?? grpc?.initialMetadata ?? []).flatMap((header) => toPair(header, env)),
  };
}

/** A header whose variable is not set is not sent. Variables come from files, which end with a line break. */
function toPair({ name, value, envName }: ReceiverHeader, env: Environment): (readonly [string, string])[] {
  const text = value ?? (envName === undefined ? undefined : env(envName)?.trim());
  return text === undefined ? [] : [[name.toLowerCase(), text]];
}
