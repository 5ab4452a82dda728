import { Buffer } from "node:buffer";
import { type Attributes, type ByteString, toText } from "../attributes/index.js";
import type { Decision, DryRun } from "../engine/index.js";

/** One decision as `/decisions` shows it: nothing secret is in it, so it may leave the process. */
export interface DecisionRecord {
  /** When it was decided, milliseconds since the epoch. */
  readonly time: number;
  readonly decision_id: string;
  readonly allowed: boolean;
  /** gRPC code. */
  readonly code: number;
  readonly stage: string;
  /** `NAMESPACE/NAME` of the policy that decided, null when none did. */
  readonly policy: string | null;
  /** Index in the policy's rules. */
  readonly rule: number | null;
  readonly reason: string;
  readonly dry_run: readonly DryRun[];
  readonly failed_open: boolean;
  /** Generation of the configuration that decided, 0 without one. */
  readonly snapshot: number;
  readonly duration_ms: number;
  readonly protocol: "http" | "tcp" | null;
  readonly method: string | null;
  readonly host: string | null;
  /** Without query. */
  readonly path: string | null;
  readonly source_ip: string | null;
  readonly source_principal: string | null;
  readonly destination_namespace: string | null;
  readonly destination_workload: string | null;
}

/** What a decision was about. */
export interface CheckObservation {
  readonly decision: Decision;
  /** Undefined when the request could not be read. */
  readonly attributes: Attributes | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly durationMs: number;
}

/** The record of a decision; holds copies of short texts only, so that it keeps no request alive. */
export function recordOf({ decision, attributes, now, durationMs }: CheckObservation): DecisionRecord {
  const request = attributes?.request;
  return {
    time: now,
    decision_id: decision.decisionId,
    allowed: decision.allowed,
    code: decision.code,
    stage: decision.stage,
    policy: decision.rule?.policy ?? null,
    rule: decision.rule?.rule ?? null,
    reason: decision.reason,
    dry_run: decision.dryRun,
    failed_open: decision.failedOpen,
    snapshot: decision.generation,
    duration_ms: durationMs,
    protocol: attributes?.protocol ?? null,
    method: brief(request?.method),
    host: brief(request?.host),
    path: brief(request?.urlPath),
    source_ip: attributes?.source.ip?.text ?? null,
    source_principal: brief(attributes?.source.principal),
    destination_namespace: decision.workload?.namespace ?? null,
    destination_workload: decision.workload?.name ?? null,
  };
}

const MAX_TEXT = 1024;

/**
 * `text`, cut to what a record may hold. A cut text is copied, since a slice keeps the whole alive: a
 * thousand records of a hostile client's paths must not hold a thousand megabytes.
 */
function brief(text: ByteString | undefined): string | null {
  if (text === undefined) return null;
  if (text.length <= MAX_TEXT) return toText(text);
  return toText(Buffer.from(text.slice(0, MAX_TEXT), "latin1").toString("latin1"));
}
