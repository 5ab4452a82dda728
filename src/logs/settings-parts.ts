import { z } from "zod";
import { breaksLine, isFieldName, parseIp } from "../attributes/index.js";
import { durationWithin } from "../documents/index.js";
import type { MaskSettings } from "./mask.js";

/** Istio's default for OTLP over HTTP; here for gRPC too. */
const DEFAULT_TIMEOUT = "3s";

/** A header of what is sent to a receiver; its value, or the environment variable that holds it. */
export interface ReceiverHeader {
  readonly name: string;
  readonly value?: string | undefined;
  readonly envName?: string | undefined;
}

/** A receiver of OTLP, in the fields of Istio's OpenTelemetryTracingProvider. With neither of the two: gRPC. */
export interface Receiver {
  /** `[NAMESPACE/]HOST` or an IP address. */
  readonly service: string;
  readonly port: number;
  readonly http?:
    | { readonly path: string; readonly timeout: number; readonly headers: readonly ReceiverHeader[] }
    | undefined;
  readonly grpc?:
    | { readonly timeout: number; readonly initialMetadata: readonly ReceiverHeader[] }
    | undefined;
  /** Not in Istio, whose DestinationRules say it. */
  readonly tls: boolean;
}

const namespacedHost = /^(?:[a-z0-9](?:[-a-z0-9]*[a-z0-9])?\/)?[-A-Za-z0-9._]+$/;

const service = z
  .string()
  .refine(
    (text) => namespacedHost.test(text) || parseIp(text) !== undefined,
    "expected [NAMESPACE/]HOST or an IP address, without a port",
  );

const timeout = durationWithin("1ms", "5m").prefault(DEFAULT_TIMEOUT);

const headers = z
  .array(
    z
      .strictObject({
        name: z.string().refine(isFieldName, "expected a header's name"),
        value: z
          .string()
          .refine((text) => !breaksLine(text), "expected a text without line breaks")
          .optional(),
        envName: z.string().min(1).optional(),
      })
      .refine(
        ({ value, envName }) => (value === undefined) !== (envName === undefined),
        "expected one of value and envName",
      ),
  )
  .max(32)
  .default([]);

/** The fields of a receiver; those who have more of their own spread it. */
export const receiverFields: {
  readonly service: z.ZodType<string>;
  readonly port: z.ZodType<number>;
  readonly http: z.ZodType<Receiver["http"]>;
  readonly grpc: z.ZodType<Receiver["grpc"]>;
  readonly tls: z.ZodType<boolean>;
} = {
  service,
  port: z.int().min(1).max(65_535),
  http: z
    .strictObject({
      path: z.string().regex(/^\/[^\s#]*$/, "expected a path that begins with /"),
      timeout,
      headers,
    })
    .optional(),
  grpc: z.strictObject({ timeout, initialMetadata: headers }).optional(),
  tls: z.boolean().default(false),
};

/** Where a file is written; `/dev/stdout` is standard output. */
export const filePath: z.ZodType<string> = z
  .string()
  .min(1)
  .max(4096)
  .refine((text) => !breaksLine(text), "expected a path of a file");

const headerName = z
  .string()
  .refine(isFieldName, "expected a header's name")
  .transform((name) => name.toLowerCase());

/** A field that may be absent. */
export type Absent<T> = z.ZodDefault<z.ZodType<T, T>>;

/** Lower-case names of headers; `*` is one too. */
export const headerNames: Absent<readonly string[]> = z.array(headerName).max(256).default([]);

/** What is masked beside what always is. */
export const maskFields: { readonly headers: Absent<readonly string[]> } = { headers: headerNames };

/** What is shown although it is masked by default. */
export const shownFields: z.ZodPrefault<z.ZodType<MaskSettings["show"], object>> = z
  .strictObject({
    headers: headerNames,
    queryParams: z.array(z.string().min(1)).max(256).default([]),
  })
  .prefault({});

/** The masks of access logs. */
export const maskSettings: z.ZodType<MaskSettings> = z.strictObject({ ...maskFields, show: shownFields });
