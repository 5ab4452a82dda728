import { type Attributes, member, toBytes, type Workload } from "../attributes/index.js";
import { type BodyFacts, type BodyRecord, bodyRecordOf } from "./body-record.js";
import { brief, briefCopy } from "./brief.js";

/** An exchange that went through body policies, when it is over. */
export interface BodyObservation {
  readonly decisionId: string;
  readonly generation: number;
  readonly attributes: Attributes | undefined;
  readonly workload: Workload | undefined;
  readonly obligations: readonly string[];
  /** Undefined where no body policy got to act. */
  readonly report: BodyFacts | undefined;
  /** What was answered in place of the request or response. */
  readonly refusal:
    | {
        /** `NAMESPACE/NAME`; empty where no policy refused, but what it needs is missing. */
        readonly policy: string;
        readonly reason: string;
        readonly code: number;
        readonly direction: "request" | "response";
      }
    | undefined;
}

/** What body policies did with the exchange of a decision, as logs have it: what `DecisionRecord` has, of a later phase. */
export interface BodyEvent {
  /** When the exchange was over, milliseconds since the epoch. */
  readonly time: number;
  readonly event: "body";
  /** Of the decision. */
  readonly decision_id: string;
  /** False: a body policy refused what the decision had allowed. */
  readonly allowed: boolean;
  readonly code: number;
  readonly stage: "body";
  readonly policy: string | null;
  readonly reason: string | null;
  readonly obligations: readonly string[];
  readonly snapshot: number;
  readonly protocol: "http" | "tcp" | null;
  readonly method: string | null;
  readonly host: string | null;
  /** Without query. */
  readonly path: string | null;
  readonly source_ip: string | null;
  readonly source_principal: string | null;
  readonly request_principal: string | null;
  readonly destination_namespace: string | null;
  readonly destination_workload: string | null;
  readonly body: BodyRecord;
}

/** Whether anything was refused, changed, tried in vain or not looked at: the rest is not worth a line. */
export function isNoteworthy({ body, allowed }: BodyEvent): boolean {
  return !allowed || body.changes > 0 || body.dry_run.length > 0 || body.unscanned;
}

/** The event of an exchange that is over; holds copies of short texts only. */
export function bodyEventOf(observation: BodyObservation, now: number): BodyEvent {
  const { attributes, workload, refusal } = observation;
  const { request, auth } = attributes ?? {};
  return {
    time: now,
    event: "body",
    decision_id: observation.decisionId,
    allowed: refusal === undefined,
    code: refusal?.code ?? 0,
    stage: "body",
    policy: refusal === undefined || refusal.policy === "" ? null : refusal.policy,
    reason: refusal?.reason ?? null,
    obligations: observation.obligations,
    snapshot: observation.generation,
    protocol: attributes?.protocol ?? null,
    method: brief(request?.method),
    host: brief(request?.host),
    path: request === undefined ? null : briefCopy(request.urlPath),
    source_ip: attributes?.source.ip?.text ?? null,
    source_principal: attributes === undefined ? null : briefCopy(attributes.source.principal),
    request_principal: principalOf(auth),
    destination_namespace: workload?.namespace ?? null,
    destination_workload: workload?.name ?? null,
    body: bodyOf(observation),
  };
}

const nothingDone: BodyFacts = {
  policies: [],
  fulfilled: [],
  changes: new Map(),
  refused: undefined,
  dryRun: [],
  requestBytes: 0,
  responseBytes: 0,
  usage: [],
  unscanned: false,
};

/** `ISSUER/SUBJECT` of the verified token. */
function principalOf(auth: Attributes["auth"]): string | null {
  const [issuer, subject] = [auth && member(auth.payload, "iss"), auth && member(auth.payload, "sub")];
  if (typeof issuer !== "string" || typeof subject !== "string") return null;
  return brief(toBytes(`${issuer}/${subject}`));
}

/** A run does not know what was refused in its name: a body that did not come. */
function bodyOf({ report = nothingDone, refusal }: BodyObservation): BodyRecord {
  if (refusal === undefined || report.refused !== undefined) return bodyRecordOf(report);
  const { policy, reason, direction } = refusal;
  return bodyRecordOf({ ...report, refused: { policy, reason, phase: direction } });
}
