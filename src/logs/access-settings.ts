import { z } from "zod";
import { filePath, type Receiver, receiverFields } from "./settings-parts.js";

/** A value of a JSON format: text with command operators, a plain value, or values in it. */
export type FormatValue =
  | string
  | number
  | boolean
  | null
  | readonly FormatValue[]
  | { readonly [name: string]: FormatValue };

/** Labels of a format by name. */
export type FormatLabels = Readonly<Record<string, FormatValue>>;

/** Istio's EnvoyFileAccessLogProvider. */
export interface EnvoyFileAccessLog {
  /** `/dev/stdout` when absent. */
  readonly path: string;
  readonly logFormat?:
    | { readonly text?: string | undefined; readonly labels?: FormatLabels | undefined }
    | undefined;
  /** What is not known is an empty text, and in JSON no key. */
  readonly omitEmptyValues: boolean;
}

/** Istio's EnvoyOpenTelemetryLogProvider; its log goes to a receiver of OTLP. */
export interface EnvoyOtelAls extends Receiver {
  readonly logName: string;
  readonly logFormat?:
    | { readonly text?: string | undefined; readonly labels?: FormatLabels | undefined }
    | undefined;
}

/** Istio's OpenTelemetryTracingProvider. */
export interface OpenTelemetryTracing extends Receiver {
  /** Longest path in a span; 0: not said. */
  readonly maxTagLength: number;
}

/** The part of an extension provider that logs or traces. */
export interface LogProvider {
  readonly name: string;
  readonly envoyFileAccessLog?: EnvoyFileAccessLog | undefined;
  readonly envoyOtelAls?: EnvoyOtelAls | undefined;
  readonly opentelemetry?: OpenTelemetryTracing | undefined;
}

/** Istio's MeshConfig for the provider `envoy`, which every mesh has. */
export interface MeshAccessLog {
  /** Empty: no access log unless a Telemetry asks for one. */
  readonly accessLogFile: string;
  readonly accessLogEncoding: "TEXT" | "JSON";
  /** Text, or with JSON a mapping as JSON. Empty: Istio's default. */
  readonly accessLogFormat: string;
}

const formatText = z.string().max(65_536);

const formatValue: z.ZodType<FormatValue> = z.custom<FormatValue>(
  (value) => isFormatValue(value, 0),
  "expected a text, a number, true or false, a list or a mapping",
);

function isFormatValue(value: unknown, depth: number): boolean {
  if (value === null || ["string", "number", "boolean"].includes(typeof value)) return true;
  if (typeof value !== "object" || depth > 16) return false;
  return Object.values(value).every((part) => isFormatValue(part, depth + 1));
}

const labels = z.record(z.string(), formatValue);

/** `Mesh.spec.extensionProviders[].envoyFileAccessLog`. */
export const envoyFileAccessLog: z.ZodType<EnvoyFileAccessLog> = z.strictObject({
  path: filePath.default("/dev/stdout"),
  logFormat: z
    .strictObject({ text: formatText.optional(), labels: labels.optional() })
    .refine(
      ({ text, labels }) => text === undefined || labels === undefined,
      "expected one of text and labels",
    )
    .optional(),
  omitEmptyValues: z.boolean().default(false),
});

/** `Mesh.spec.extensionProviders[].envoyOtelAls`. */
export const envoyOtelAls: z.ZodType<EnvoyOtelAls> = z.strictObject({
  ...receiverFields,
  logName: z.string().default("otel_envoy_accesslog"),
  logFormat: z.strictObject({ text: formatText.optional(), labels: labels.optional() }).optional(),
});

/** `Mesh.spec.extensionProviders[].opentelemetry`. */
export const opentelemetry: z.ZodType<OpenTelemetryTracing> = z.strictObject({
  ...receiverFields,
  maxTagLength: z.int().min(0).max(65_536).default(0),
  // Istio has them for its proxies; they have no effect here.
  resourceDetectors: z.unknown().optional(),
  serviceAttributeEnrichment: z.unknown().optional(),
  dynatraceSampler: z.unknown().optional(),
});

/** Fields of `Mesh.spec` with the names of Istio's MeshConfig. */
export const meshAccessLogFields: {
  readonly accessLogFile: z.ZodType<string>;
  readonly accessLogEncoding: z.ZodType<"TEXT" | "JSON">;
  readonly accessLogFormat: z.ZodType<string>;
} = {
  accessLogFile: z.string().max(4096).default(""),
  accessLogEncoding: z.enum(["TEXT", "JSON"]).default("TEXT"),
  accessLogFormat: formatText.default(""),
};
