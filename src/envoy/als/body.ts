import { type JsonObject, type JsonValue, member } from "../../attributes/index.js";
import type { ReportBody } from "../../report/index.js";

/** Beside Envoy's own limit of an entry: what is kept of one. */
const maxNames = 64;

/** With how many obligations were carried out beside those that are named; absent: none. */
export interface ReportedBody extends ReportBody {
  readonly fulfilledMore?: number;
}

/**
 * What ext_proc's metadata say under `gatehouse.body`, see `bodyRecord` of ext-proc; undefined where it is no object.
 * What has another form is left out.
 */
export function bodyOf(value: JsonValue): ReportedBody | undefined {
  if (!isObject(value)) return undefined;
  const changes = changesOf(member(value, "rules"));
  const refused = member(value, "refused");
  return {
    policies: texts(member(value, "policies")),
    fulfilled: texts(member(value, "fulfilled")),
    ...moreOf(count(member(value, "fulfilled_more"))),
    changes,
    changed: Math.max(count(member(value, "changes")), sum(changes)),
    refused: refused !== undefined && isObject(refused) ? refusalOf(refused) : undefined,
    dryRun: objects(member(value, "dry_run")).map((one) => ({
      policy: text(member(one, "policy")),
      reason: text(member(one, "reason")),
    })),
    requestBytes: count(member(value, "request_bytes")),
    responseBytes: count(member(value, "response_bytes")),
    usage: objects(member(value, "usage")).map((one) => ({
      quota: text(member(one, "quota")),
      units: count(member(one, "units")),
    })),
    unscanned: member(value, "unscanned") === true,
  };
}

function refusalOf(refused: JsonObject): NonNullable<ReportBody["refused"]> {
  return {
    policy: text(member(refused, "policy")),
    reason: text(member(refused, "reason")),
    phase: phaseOf(member(refused, "phase")),
  };
}

function phaseOf(phase: JsonValue | undefined): "request" | "response" | undefined {
  return phase === "request" || phase === "response" ? phase : undefined;
}

/**
 * The same with all that was carried out, `obligations` being what was asked for: where there was no room to name all, and
 * no more are missing than that, it was all of them.
 */
export function withAllFulfilled(
  { fulfilledMore = 0, ...body }: ReportedBody,
  obligations: readonly string[],
): ReportBody {
  if (fulfilledMore === 0) return body;
  const missing = obligations.filter((name) => !body.fulfilled.includes(name));
  return missing.length > fulfilledMore ? body : { ...body, fulfilled: [...body.fulfilled, ...missing] };
}

function moreOf(more: number): { readonly fulfilledMore?: number } {
  return more === 0 ? {} : { fulfilledMore: more };
}

/** The same where the record says by itself that a body policy refused. */
export function withRefusal(body: ReportBody | undefined, policy: string, reason: string): ReportBody {
  if (body?.refused !== undefined) return body;
  return { ...(body ?? nothingDone), refused: { policy, reason, phase: undefined } };
}

const nothingDone: ReportBody = {
  policies: [],
  fulfilled: [],
  changes: new Map(),
  changed: 0,
  refused: undefined,
  dryRun: [],
  requestBytes: 0,
  responseBytes: 0,
  usage: [],
  unscanned: false,
};

function changesOf(value: JsonValue | undefined): ReadonlyMap<string, number> {
  const changes = new Map<string, number>();
  if (value === undefined || !isObject(value)) return changes;
  for (const [name, changed] of Object.entries(value)) {
    if (changes.size >= maxNames) break;
    changes.set(name, count(changed));
  }
  return changes;
}

function sum(changes: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const changed of changes.values()) total += changed;
  return total;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function texts(value: JsonValue | undefined): readonly string[] {
  return items(value).filter((item): item is string => typeof item === "string");
}

function objects(value: JsonValue | undefined): readonly JsonObject[] {
  return items(value).filter(isObject);
}

function items(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]).slice(0, maxNames) : [];
}

function text(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}

function count(value: JsonValue | undefined): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}
