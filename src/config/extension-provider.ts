import { z } from "zod";
import { isFieldName, parseIp } from "../attributes/index.js";
import { durationMs } from "../documents/index.js";
import {
  type EnvoyFileAccessLog,
  type EnvoyOtelAls,
  envoyFileAccessLog,
  envoyOtelAls,
  type OpenTelemetryTracing,
  opentelemetry,
} from "../logs/index.js";

/**
 * When nothing is said, no provider is waited for longer. Istio's own default is 600 s, Envoy's for ext_authz
 * 200 ms.
 */
const DEFAULT_TIMEOUT = "5s";

const port = z.int().min(1).max(65_535);

const namespacedHost = /^(?:[a-z0-9](?:[-a-z0-9]*[a-z0-9])?\/)?[-A-Za-z0-9._]+$/;

/** `[NAMESPACE/]HOST` or an IP address; a port has its own field. */
const service = z
  .string()
  .refine(
    (text) => namespacedHost.test(text) || parseIp(text) !== undefined,
    "expected [NAMESPACE/]HOST or an IP address, without a port",
  );

/** A status as Istio spells it: text. */
const statusOnError = z
  .string()
  .regex(/^[2-5][0-9][0-9]$/, 'expected an HTTP status in quotes, for example "503"');

const requestBody = z.strictObject({
  maxRequestBytes: z.int().min(1),
  allowPartialMessage: z.boolean().default(false),
  packAsBytes: z.boolean().default(false),
});

/** Exact, `prefix*`, `*suffix` or `*`; case-insensitive. */
const headerPatterns = z
  .array(
    z
      .string()
      .regex(/^\*?[-!#$%&'+.^_`|~0-9A-Za-z:]*\*?$/, "expected a header's name, `prefix*` or `*suffix`"),
  )
  .default([]);

const common = {
  service,
  port,
  timeout: durationMs.prefault(DEFAULT_TIMEOUT),
  failOpen: z.boolean().default(false),
  statusOnError: statusOnError.optional(),
  includeRequestBodyInCheck: requestBody.optional(),
  clearRouteCache: z.boolean().default(false),
};

const grpc = z.strictObject(common);

const http = z.strictObject({
  ...common,
  pathPrefix: z
    .string()
    .regex(/^(?:\/[^\s?#]*)?$/, "expected a path that begins with /")
    .default(""),
  includeRequestHeadersInCheck: headerPatterns,
  /** The old name of the above. */
  includeHeadersInCheck: headerPatterns,
  includeAdditionalHeadersInCheck: z
    .record(z.string().refine(isFieldName, "expected a header's name"), z.string())
    .default({}),
  headersToUpstreamOnAllow: headerPatterns,
  headersToDownstreamOnAllow: headerPatterns,
  headersToDownstreamOnDeny: headerPatterns,
});

/**
 * Providers of Istio's MeshConfig that trace, measure or log: they may stay, a CUSTOM policy cannot name
 * them.
 */
const otherProviders = [
  "zipkin",
  "lightstep",
  "datadog",
  "stackdriver",
  "opencensus",
  "skywalking",
  "envoyHttpAls",
  "envoyTcpAls",
  "sds",
] as const;

/**
 * An authorizer that CUSTOM policies name, or what Telemetry names: a log, a receiver of traces. With neither `envoyExtAuthz…` nor `rego` it cannot be asked, and what
 * would ask it is refused.
 */
export interface ExtensionProvider {
  readonly name: string;
  readonly envoyExtAuthzGrpc?: EnvoyExtAuthzGrpc | undefined;
  readonly envoyExtAuthzHttp?: EnvoyExtAuthzHttp | undefined;
  /** A RegoPolicy: `NAMESPACE/NAME`. */
  readonly rego?: { readonly policy: string } | undefined;
  readonly envoyFileAccessLog?: EnvoyFileAccessLog | undefined;
  readonly envoyOtelAls?: EnvoyOtelAls | undefined;
  readonly opentelemetry?: OpenTelemetryTracing | undefined;
  /** Our own `/metrics`. */
  readonly prometheus?: Readonly<Record<string, never>> | undefined;
}

/** Istio's EnvoyExternalAuthorizationGrpcProvider. */
export interface EnvoyExtAuthzGrpc {
  /** `[NAMESPACE/]HOST` or an IP address. */
  readonly service: string;
  readonly port: number;
  /** Milliseconds. */
  readonly timeout: number;
  readonly failOpen: boolean;
  /** HTTP status as text; 403 when undefined. */
  readonly statusOnError?: string | undefined;
  readonly includeRequestBodyInCheck?: IncludeRequestBody | undefined;
  readonly clearRouteCache: boolean;
}

/** Istio's EnvoyExternalAuthorizationHttpProvider. Header patterns: exact, `prefix*`, `*suffix`, any case. */
export interface EnvoyExtAuthzHttp extends EnvoyExtAuthzGrpc {
  readonly pathPrefix: string;
  readonly includeRequestHeadersInCheck: readonly string[];
  /** The old name of the above; read when that is empty. */
  readonly includeHeadersInCheck: readonly string[];
  readonly includeAdditionalHeadersInCheck: Readonly<Record<string, string>>;
  readonly headersToUpstreamOnAllow: readonly string[];
  readonly headersToDownstreamOnAllow: readonly string[];
  readonly headersToDownstreamOnDeny: readonly string[];
}

/** Istio's `includeRequestBodyInCheck`. */
export interface IncludeRequestBody {
  readonly maxRequestBytes: number;
  readonly allowPartialMessage: boolean;
  readonly packAsBytes: boolean;
}

/** One entry of `Mesh.spec.extensionProviders`. */
export const extensionProvider: z.ZodType<ExtensionProvider> = z.strictObject({
  name: z
    .string()
    .max(63)
    .regex(/^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/, "expected lower-case letters, digits and `-`"),
  envoyExtAuthzGrpc: grpc.optional(),
  envoyExtAuthzHttp: http.optional(),
  rego: z.strictObject({ policy: z.string().regex(/^[^/]+\/[^/]+$/, "expected NAMESPACE/NAME") }).optional(),
  envoyFileAccessLog: envoyFileAccessLog.optional(),
  envoyOtelAls: envoyOtelAls.optional(),
  opentelemetry: opentelemetry.optional(),
  prometheus: z.strictObject({}).optional(),
  ...Object.fromEntries(otherProviders.map((name) => [name, z.unknown().optional()])),
});

/** Whether a Telemetry can send something there. */
export function logsOrTraces(provider: ExtensionProvider): boolean {
  const { envoyFileAccessLog, envoyOtelAls, opentelemetry } = provider;
  return (envoyFileAccessLog ?? envoyOtelAls ?? opentelemetry) !== undefined;
}
