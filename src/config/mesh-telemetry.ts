import { z } from "zod";
import { durationWithin } from "../documents/index.js";
import {
  type AuditSettings,
  auditSettings,
  type DecisionLogSettings,
  decisionLogSettings,
  type LogProvider,
  type MaskSettings,
  type MeshAccessLog,
  maskSettings,
  meshAccessLogFields,
} from "../logs/index.js";
import type { DefaultProviders } from "../report/index.js";

const providerNames = z.array(z.string().min(1)).max(16);

/** What becomes of series. */
interface SeriesSettings {
  readonly expiry: number | "never";
  readonly maxSeries?: number | undefined;
  readonly maxValuesPerLabel?: number | undefined;
}

/** What a Mesh says of metrics, logs and traces: fields of `spec`, most with the names of Istio's MeshConfig. */
export const meshTelemetryFields: {
  readonly defaultProviders: z.ZodType<DefaultProviders>;
  readonly accessLogFile: z.ZodType<string>;
  readonly accessLogEncoding: z.ZodType<"TEXT" | "JSON">;
  readonly accessLogFormat: z.ZodType<string>;
  readonly accessLogMask: z.ZodType<MaskSettings>;
  readonly tracing: z.ZodType<{ readonly sampling: number }>;
  readonly decisionLog: z.ZodType<DecisionLogSettings>;
  readonly audit: z.ZodType<AuditSettings | undefined>;
  readonly metrics: z.ZodType<SeriesSettings>;
} = {
  defaultProviders: z
    .strictObject({
      metrics: providerNames.optional(),
      accessLogging: providerNames.default([]),
      tracing: providerNames.default([]),
    })
    .transform(({ metrics, ...others }) => ({ metrics, ...others }))
    .prefault({}),
  ...meshAccessLogFields,
  /** Of access logs. */
  accessLogMask: maskSettings.prefault({}),
  tracing: z.strictObject({ sampling: z.number().min(0).max(100).default(1) }).prefault({}),
  decisionLog: decisionLogSettings.prefault({}),
  audit: auditSettings.optional(),
  metrics: z
    .strictObject({
      expiry: z.union([z.literal("never"), durationWithin("1m", "30d")]).prefault("never"),
      maxSeries: z.int().min(1).max(1_000_000).optional(),
      maxValuesPerLabel: z.int().min(1).max(100_000).optional(),
    })
    .prefault({}),
};

/** The same as the rest of the program reads it: plain data. */
export interface MeshTelemetry {
  readonly defaultProviders: DefaultProviders;
  readonly accessLog: MeshAccessLog;
  readonly accessLogMask: MaskSettings;
  /** 0 to 100. */
  readonly samplingPercent: number;
  readonly decisionLog: DecisionLogSettings;
  readonly audit: AuditSettings | undefined;
  readonly metrics: {
    /** Undefined: series stay. */
    readonly expiryMs: number | undefined;
    readonly maxSeries: number | undefined;
    readonly maxValues: number | undefined;
  };
  /** Extension providers that log or trace. */
  readonly providers: readonly LogProvider[];
}

/** Takes the part of a Mesh's `spec`. */
export function toMeshTelemetry(
  spec: { readonly [Name in keyof typeof meshTelemetryFields]: z.output<(typeof meshTelemetryFields)[Name]> },
  providers: readonly LogProvider[],
): MeshTelemetry {
  const { accessLogFile, accessLogEncoding, accessLogFormat, defaultProviders } = spec;
  const { expiry, maxSeries, maxValuesPerLabel } = spec.metrics;
  return {
    defaultProviders,
    accessLog: { accessLogFile, accessLogEncoding, accessLogFormat },
    accessLogMask: spec.accessLogMask,
    samplingPercent: spec.tracing.sampling,
    decisionLog: spec.decisionLog,
    audit: spec.audit,
    metrics: { expiryMs: expiry === "never" ? undefined : expiry, maxSeries, maxValues: maxValuesPerLabel },
    providers,
  };
}
