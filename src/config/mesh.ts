import { z } from "zod";
import type { Workload } from "../attributes/index.js";
import type { JwtSettings } from "../authn/index.js";
import { codes, type Finding, finding, hasErrors } from "../diagnostics/index.js";
import { durationWithin, type Parsed, parseWith, type ResourceDocument } from "../documents/index.js";
import type { MeshSettings } from "../engine/index.js";
import { checkLogProvider, checkLogs } from "../logs/index.js";
import { parseCidr } from "../matchers/index.js";
import type { QuotaHeaders } from "../quota/index.js";
import { checkClientCertHeaders, clientCertHeaders, toClientCertHeaders } from "./client-cert-headers.js";
import { type ExtensionProvider, extensionProvider, logsOrTraces } from "./extension-provider.js";
import { type MeshTelemetry, meshTelemetryFields, toMeshTelemetry } from "./mesh-telemetry.js";

const workloadType = z.enum(["sidecar", "gateway", "waypoint"]);

const xffSettings = {
  useRemoteAddress: z.boolean(),
  numTrustedHops: z.int().min(0),
};

const xffOverride = z
  .strictObject({
    useRemoteAddress: xffSettings.useRemoteAddress.optional(),
    numTrustedHops: xffSettings.numTrustedHops.optional(),
  })
  .optional();

const xff = z.strictObject({
  useRemoteAddress: xffSettings.useRemoteAddress.default(false),
  numTrustedHops: xffSettings.numTrustedHops.default(0),
  perType: z.strictObject({ sidecar: xffOverride, gateway: xffOverride, waypoint: xffOverride }).prefault({}),
});

const defaultWorkload = z.strictObject({
  namespace: z.string().min(1),
  name: z.string().default(""),
  type: workloadType.default("sidecar"),
  labels: z.record(z.string(), z.string()).default({}),
  services: z
    .array(
      z.strictObject({
        name: z.string(),
        /** The workload's own when absent. */
        namespace: z.string().optional(),
        host: z.string().default(""),
      }),
    )
    .default([]),
});

/** The whole `spec` of a Mesh; each default is what holds without a Mesh. */
const meshSpec = z.strictObject({
  rootNamespace: z.string().default("istio-system"),
  trustDomain: z.string().default("cluster.local"),
  trustDomainAliases: z.array(z.string()).default([]),
  xff: xff.prefault({}),
  defaultWorkload: defaultWorkload.optional(),
  unknownWorkload: z.enum(["refuseIfScoped", "meshPolicies", "deny"]).default("refuseIfScoped"),
  extensionProviders: z.array(extensionProvider).default([]),
  customSeesIdentity: z.boolean().default(false),
  multipleCustomProviders: z.boolean().default(false),
  strictRequests: z.boolean().default(false),
  trustEnvoyJwt: z
    .strictObject({ enabled: z.boolean().default(false), payloadKey: z.string().min(1).default("payload") })
    .prefault({}),
  jwt: z
    .strictObject({
      /** By how much clocks may differ; whole seconds, as in Envoy. */
      clockSkew: durationWithin("0s", "24h")
        .refine((ms) => ms % 1000 === 0, "expected whole seconds")
        .prefault("60s"),
      strict: z.boolean().default(false),
    })
    .prefault({}),
  egress: z
    .strictObject({
      allowHosts: z.array(z.string().min(1)).default([]),
      allowCidrs: z
        .array(
          z.string().refine((text) => parseCidr(text) !== undefined, "expected an IP address or CIDR range"),
        )
        .default([]),
      denyPrivate: z.boolean().default(false),
    })
    .prefault({}),
  clientCertHeaders: clientCertHeaders.prefault({}),
  quotaHeaders: z.enum(["rateLimit", "xRateLimit", "none"]).default("rateLimit"),
  ...meshTelemetryFields,
});

/** Where outbound connections may go: each list that is not empty must be passed. */
export interface Egress {
  readonly allowHosts: readonly string[];
  readonly allowCidrs: readonly string[];
  readonly denyPrivate: boolean;
}

/** A Mesh as the rest of the program reads it: plain data, survives a structured clone. */
export interface Mesh {
  readonly rootNamespace: string;
  readonly trustDomain: string;
  readonly trustDomainAliases: readonly string[];
  readonly settings: MeshSettings;
  readonly extensionProviders: readonly ExtensionProvider[];
  readonly egress: Egress;
  /** How tokens are judged. */
  readonly jwt: JwtSettings;
  readonly multipleCustomProviders: boolean;
  /** How callers are told what quotas have left for them. */
  readonly quotaHeaders: QuotaHeaders;
  readonly telemetry: MeshTelemetry;
}

/** Parses a `gatehouse.dev` Mesh. */
export function parseMesh(document: ResourceDocument): Parsed<Mesh> {
  const parsed = parseWith(meshSpec, document.spec ?? {}, ["spec"]);
  if (parsed.spec === undefined) return { spec: undefined, findings: parsed.findings };
  const findings = [
    ...checkClientCertHeaders(parsed.spec.clientCertHeaders),
    ...checkProviders(parsed.spec),
    ...checkLogs(parsed.spec),
    ...parsed.spec.extensionProviders.flatMap((provider, i) =>
      checkLogProvider(provider, parsed.spec?.audit, ["spec", "extensionProviders", i]),
    ),
  ];
  return { spec: hasErrors(findings) ? undefined : toMesh(parsed.spec), findings };
}

/** What holds when no document says otherwise. */
export const defaultMesh: Mesh = toMesh(meshSpec.parse({}));

type Spec = z.output<typeof meshSpec>;

function toMesh(spec: Spec): Mesh {
  const { sidecar, gateway, waypoint } = spec.xff.perType;
  return {
    rootNamespace: spec.rootNamespace,
    trustDomain: spec.trustDomain,
    trustDomainAliases: spec.trustDomainAliases,
    settings: {
      unknownWorkload: spec.unknownWorkload,
      strictRequests: spec.strictRequests,
      customSeesIdentity: spec.customSeesIdentity,
      envoyJwtPayloadKey: spec.trustEnvoyJwt.enabled ? spec.trustEnvoyJwt.payloadKey : undefined,
      xff: { useRemoteAddress: spec.xff.useRemoteAddress, numTrustedHops: spec.xff.numTrustedHops },
      xffPerType: {
        ...(sidecar && { sidecar: compact(sidecar) }),
        ...(gateway && { gateway: compact(gateway) }),
        ...(waypoint && { waypoint: compact(waypoint) }),
      },
      defaultWorkload: toWorkload(spec.defaultWorkload),
      clientCertHeaders: toClientCertHeaders(spec.clientCertHeaders),
    },
    extensionProviders: spec.extensionProviders.map(
      ({
        name,
        envoyExtAuthzGrpc,
        envoyExtAuthzHttp,
        rego,
        envoyFileAccessLog,
        envoyOtelAls,
        opentelemetry,
        prometheus,
      }) => ({
        name,
        envoyExtAuthzGrpc,
        envoyExtAuthzHttp,
        rego,
        envoyFileAccessLog,
        envoyOtelAls,
        opentelemetry,
        prometheus,
      }),
    ),
    egress: spec.egress,
    jwt: { clockSkewSeconds: Math.floor(spec.jwt.clockSkew / 1000), strict: spec.jwt.strict },
    multipleCustomProviders: spec.multipleCustomProviders,
    quotaHeaders: spec.quotaHeaders,
    telemetry: toMeshTelemetry(spec, spec.extensionProviders.filter(logsOrTraces)),
  };
}

function compact(override: { useRemoteAddress?: boolean | undefined; numTrustedHops?: number | undefined }): {
  useRemoteAddress?: boolean;
  numTrustedHops?: number;
} {
  const { useRemoteAddress, numTrustedHops } = override;
  return {
    ...(useRemoteAddress !== undefined && { useRemoteAddress }),
    ...(numTrustedHops !== undefined && { numTrustedHops }),
  };
}

function toWorkload(given: Spec["defaultWorkload"]): Workload | undefined {
  if (given === undefined) return undefined;
  const { namespace, name, type, labels } = given;
  const services = given.services.map((s) => ({ ...s, namespace: s.namespace ?? namespace }));
  return { namespace, name, type, labels: new Map(Object.entries(labels)), services };
}

function checkProviders({ extensionProviders }: Spec): Finding[] {
  const seen = new Set<string>();
  return extensionProviders.flatMap((provider, i) => {
    const { name, envoyExtAuthzGrpc, envoyExtAuthzHttp } = provider;
    const path = ["spec", "extensionProviders", i];
    const findings: Finding[] = [];
    if (seen.has(name)) {
      const message = `extension provider \`${name}\` is given twice, expected each name once`;
      findings.push(finding(codes.duplicateProvider, [...path, "name"], message));
    }
    seen.add(name);
    const authorizers = [envoyExtAuthzGrpc, envoyExtAuthzHttp, provider.rego].filter(Boolean).length;
    if (authorizers > 1) {
      const message = "expected one of envoyExtAuthzGrpc, envoyExtAuthzHttp and rego, not several";
      findings.push(finding(codes.invalidValue, path, message));
    }
    if (authorizers === 0 && !logsOrTraces(provider) && !("prometheus" in provider)) {
      const message = `extension provider \`${name}\` names none of envoyExtAuthzGrpc, envoyExtAuthzHttp and rego, requests that CUSTOM policies send there are refused`;
      findings.push(finding(codes.providerCannotBeAsked, path, message));
    }
    return findings;
  });
}
