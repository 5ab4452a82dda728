import type {
  EnvoyFileAccessLog,
  EnvoyOtelAls,
  FormatLabels,
  LogProvider,
  MeshAccessLog,
} from "./access-settings.js";
import { accessSinkName } from "./sink-names.js";

/** How an access log writes a report. Plain data. */
export interface LogFormat {
  /** Of the line; undefined: it is the JSON of the labels. */
  readonly text: string | undefined;
  /** Of JSON, or attributes beside the text. */
  readonly labels: FormatLabels;
  readonly omitEmptyValues: boolean;
}

/** One access log: its sink and how it writes. */
export interface AccessLogSpec {
  readonly sink: string;
  readonly format: LogFormat;
  /** Attributes beside the text are wanted, and the trace. */
  readonly forOtlp: boolean;
}

/** Istio's format of text; without its line feed. */
export const istioTextFormat: string =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% ' +
  "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%";

/** Istio's labels of JSON. */
export const istioLabels: FormatLabels = {
  authority: "%REQ(:AUTHORITY)%",
  bytes_received: "%BYTES_RECEIVED%",
  bytes_sent: "%BYTES_SENT%",
  connection_termination_details: "%CONNECTION_TERMINATION_DETAILS%",
  downstream_local_address: "%DOWNSTREAM_LOCAL_ADDRESS%",
  downstream_remote_address: "%DOWNSTREAM_REMOTE_ADDRESS%",
  duration: "%DURATION%",
  method: "%REQ(:METHOD)%",
  path: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
  protocol: "%PROTOCOL%",
  request_id: "%REQ(X-REQUEST-ID)%",
  requested_server_name: "%REQUESTED_SERVER_NAME%",
  response_code: "%RESPONSE_CODE%",
  response_code_details: "%RESPONSE_CODE_DETAILS%",
  response_flags: "%RESPONSE_FLAGS%",
  route_name: "%ROUTE_NAME%",
  start_time: "%START_TIME%",
  upstream_cluster: "%UPSTREAM_CLUSTER_RAW%",
  upstream_host: "%UPSTREAM_HOST%",
  upstream_local_address: "%UPSTREAM_LOCAL_ADDRESS%",
  upstream_service_time: "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
  upstream_transport_failure_reason: "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
  user_agent: "%REQ(USER-AGENT)%",
  x_forwarded_for: "%REQ(X-FORWARDED-FOR)%",
};

/** The format of a file's provider; labels that are empty are Istio's. */
export function formatOf({ logFormat, omitEmptyValues }: EnvoyFileAccessLog): LogFormat {
  const { text, labels } = logFormat ?? {};
  if (labels === undefined) return { text: textOr(text), labels: {}, omitEmptyValues };
  return {
    text: undefined,
    labels: Object.keys(labels).length === 0 ? istioLabels : labels,
    omitEmptyValues,
  };
}

/** The format of a provider of OTLP: text is the body, labels are attributes. */
export function formatOfOtel({ logFormat, logName }: EnvoyOtelAls): LogFormat {
  const labels = { ...logFormat?.labels, log_name: logName };
  return { text: textOr(logFormat?.text), labels, omitEmptyValues: false };
}

/** What MeshConfig says for the provider `envoy`; undefined where its JSON is none. */
export function formatOfMesh({ accessLogEncoding, accessLogFormat }: MeshAccessLog): LogFormat | undefined {
  if (accessLogEncoding === "TEXT") {
    return { text: textOr(accessLogFormat), labels: {}, omitEmptyValues: false };
  }
  if (accessLogFormat === "") return { text: undefined, labels: istioLabels, omitEmptyValues: false };
  try {
    const labels: unknown = JSON.parse(accessLogFormat);
    if (typeof labels !== "object" || labels === null || Array.isArray(labels)) return undefined;
    return { text: undefined, labels: labels as FormatLabels, omitEmptyValues: false };
  } catch {
    return undefined;
  }
}

/** Istio ends every format by a line feed; sinks do that here. */
function textOr(text: string | undefined): string {
  if (text === undefined || text === "") return istioTextFormat;
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}

/** Istio's provider that every mesh has: its format is that of MeshConfig unless it has one of its own. */
export function builtinProvider({ accessLogFile }: MeshAccessLog): LogProvider {
  return {
    name: builtinName,
    envoyFileAccessLog: {
      path: accessLogFile === "" ? "/dev/stdout" : accessLogFile,
      omitEmptyValues: false,
    },
  };
}

const builtinName = "envoy";

/** The access log of a provider; undefined for one that has none. */
export function accessLogOf(provider: LogProvider, mesh: MeshAccessLog): AccessLogSpec | undefined {
  const { name, envoyFileAccessLog, envoyOtelAls } = provider;
  const sink = accessSinkName(name);
  if (envoyOtelAls !== undefined) return { sink, format: formatOfOtel(envoyOtelAls), forOtlp: true };
  if (envoyFileAccessLog === undefined) return undefined;
  const { logFormat, omitEmptyValues } = envoyFileAccessLog;
  const ofMesh =
    name === builtinName && logFormat === undefined && !omitEmptyValues ? formatOfMesh(mesh) : undefined;
  return { sink, format: ofMesh ?? formatOf(envoyFileAccessLog), forOtlp: false };
}
