import { z } from "zod";
import type { BodyEvent, DecisionRecord } from "../telemetry/index.js";
import type { MaskSettings } from "./mask.js";
import {
  filePath,
  headerNames,
  maskFields,
  type Receiver,
  receiverFields,
  shownFields,
} from "./settings-parts.js";

/** What hides fields of a decision's record. */
export interface FieldMask {
  /** CEL over decisions; undefined: always. One that has no value masks. */
  readonly match?: string | undefined;
  /** Fields of the record, or `headers`, `query`, `claims`. */
  readonly fields: readonly string[];
  /** `mask` puts `***` in its place. */
  readonly op: "mask" | "remove";
}

/** One sink of the decision log. */
export interface DecisionSink {
  readonly name: string;
  readonly stdout?: Readonly<Record<string, never>> | undefined;
  readonly file?: { readonly path: string } | undefined;
  readonly otlp?: Receiver | undefined;
  /** CEL over decisions; undefined: every one. */
  readonly filter?: string | undefined;
  /** Beside what the log masks. */
  readonly mask: { readonly headers: readonly string[]; readonly rules: readonly FieldMask[] };
  /** No answer without its record on disk. */
  readonly strict: boolean;
}

/** `Mesh.spec.decisionLog`: plain data. */
export interface DecisionLogSettings {
  readonly sinks: readonly DecisionSink[];
  /** What of the request is written beside the record. */
  readonly include: {
    /** Lower-case names; `*`: all. */
    readonly requestHeaders: readonly string[];
    readonly query: boolean;
    /** iss, sub, aud, azp and exp of the verified token; no other claim is ever written. */
    readonly claims: boolean;
  };
  readonly mask: MaskSettings & { readonly rules: readonly FieldMask[] };
  /** CEL over decisions: one that is true keeps the decision out of the log. */
  readonly drop: readonly string[];
  /** The first that matches says how many of the decisions are written. */
  readonly sample: readonly { readonly match?: string | undefined; readonly percent: number }[];
  /** A denied decision is neither dropped nor left out by sampling. */
  readonly keepDenied: boolean;
}

/** `Mesh.spec.audit`: plain data. */
export interface AuditSettings {
  readonly path: string;
  /** No answer without its record on disk. */
  readonly strict: boolean;
  /** CEL over decisions; undefined: every one. One that has no value takes the decision. */
  readonly filter?: string | undefined;
  /** A file whose bytes are the key of an HMAC: who has it not cannot forge the file. */
  readonly keyFile?: string | undefined;
}

/** Longest expression, in characters. */
const expression = z.string().min(1).max(16_384);

const fieldMask = z.strictObject({
  match: expression.optional(),
  fields: z.array(z.string()).min(1).max(64),
  op: z.enum(["mask", "remove"]).default("mask"),
});
const fieldMasks = z.array(fieldMask).max(64).default([]);

const sink: z.ZodType<DecisionSink> = z.strictObject({
  name: z
    .string()
    .max(63)
    .regex(/^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/, "expected lower-case letters, digits and `-`"),
  stdout: z.strictObject({}).optional(),
  file: z.strictObject({ path: filePath }).optional(),
  otlp: z.strictObject(receiverFields).optional(),
  filter: expression.optional(),
  mask: z.strictObject({ ...maskFields, rules: fieldMasks }).prefault({}),
  strict: z.boolean().default(false),
});

/** `Mesh.spec.decisionLog`. Without sinks nothing is written. */
export const decisionLogSettings: z.ZodType<DecisionLogSettings> = z.strictObject({
  sinks: z.array(sink).max(16).default([]),
  include: z
    .strictObject({
      requestHeaders: headerNames,
      query: z.boolean().default(false),
      claims: z.boolean().default(false),
    })
    .prefault({}),
  mask: z.strictObject({ ...maskFields, show: shownFields, rules: fieldMasks }).prefault({}),
  drop: z.array(expression).max(64).default([]),
  sample: z
    .array(z.strictObject({ match: expression.optional(), percent: z.number().min(0).max(100) }))
    .max(64)
    .default([]),
  keepDenied: z.boolean().default(true),
});

/** `Mesh.spec.audit`. */
export const auditSettings: z.ZodType<AuditSettings> = z.strictObject({
  path: filePath,
  strict: z.boolean().default(false),
  filter: expression.optional(),
  keyFile: filePath.optional(),
});

/** What a line is found and read by stays. */
type Kept = "time" | "event" | "decision_id" | "allowed" | "code";

/** Fields that may be masked: those of the record, which the compiler keeps complete, and what is included. */
const maskable: Record<Exclude<keyof DecisionRecord | keyof BodyEvent, Kept>, true> & Record<Included, true> =
  {
    stage: true,
    policy: true,
    rule: true,
    reason: true,
    dry_run: true,
    quota: true,
    failed_open: true,
    obligations: true,
    snapshot: true,
    duration_ms: true,
    protocol: true,
    method: true,
    host: true,
    path: true,
    source_ip: true,
    source_principal: true,
    request_principal: true,
    authn_method: true,
    authn_refused: true,
    destination_namespace: true,
    destination_workload: true,
    body: true,
    headers: true,
    query: true,
    claims: true,
  };

/** What of the request stands beside the record. */
export type Included = "headers" | "query" | "claims";

/** Names of the fields that a mask may name. */
export const maskableFields: ReadonlySet<string> = new Set(Object.keys(maskable));
