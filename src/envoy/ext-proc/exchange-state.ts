import type { Attributes, JsonObject, Workload } from "../../attributes/index.js";
import type { BodyPlan, BodyRefusal, BodyReport, BodyRun } from "../../body/index.js";
import { type Decision, fail, type HeaderEdit, refuse, type Snapshot } from "../../engine/index.js";
import type { CheckRequest } from "../../proto/index.js";
import { type AuthorizationOptions, recordOf } from "../ext-authz/index.js";
import type { Handover } from "../handover.js";
import { bodyRecord } from "./body-record.js";
import type { InitialMetadata } from "./destination.js";
import type { HeadersOutcome, Immediate } from "./exchange.js";
import type { Direction } from "./message.js";
import type { ProcessedRequestReader } from "./request.js";
import { responseEditsOf, toBodyImmediate } from "./respond.js";
import { ending, onTrial } from "./standing.js";

/** What decides about requests, responses and their bodies, at one moment. */
export interface Policies {
  readonly snapshot: Snapshot;
  /** The body policies of a workload, those that act by obligation only among them; undefined: there are none. */
  readonly bodies: (workload: Workload | undefined) => BodyPlan | undefined;
}

/** What became of an exchange under body policies, for records and metrics. */
export interface BodyOutcome {
  /** `refused`: the answer was ours; `closed`: the stream is over, and the report is whole. At most one of each. */
  readonly kind: "refused" | "closed";
  /** Of the record that it belongs to. */
  readonly decisionId: string;
  /** The decision was ext_authz's, so its record is too. */
  readonly isCarried: boolean;
  readonly generation: number;
  readonly attributes: Attributes | undefined;
  readonly workload: Workload | undefined;
  readonly obligations: readonly string[];
  /** Undefined where no body policy got to act. */
  readonly report: BodyReport | undefined;
  readonly refusal: (BodyRefusal & { readonly direction: Direction }) | undefined;
}

/** What exchanges need from their surroundings. */
export interface ExchangePorts
  extends Pick<AuthorizationOptions, "decisionId" | "now" | "observe" | "onError" | "wallClock"> {
  /** What is in force; undefined while there is no valid configuration. */
  readonly current: () => Policies | undefined;
  /** Encodes a CheckRequest. */
  readonly encodeCheckRequest: (request: CheckRequest) => Uint8Array;
  /** Absent: decisions of ext_authz do not count. */
  readonly handover?: Pick<Handover, "accept"> | undefined;
  /** Told what became of bodies. Must not throw. */
  readonly amend: (outcome: BodyOutcome) => void;
}

/** A decision that lets go on, and what it was made by. */
export interface Standing {
  readonly policies: Policies;
  readonly decision: Decision;
  readonly isCarried: boolean;
  readonly charged: ReadonlyMap<string, number>;
}

/** One exchange as far as it came. Changed by the functions of the files `exchange-…` and `deciding` only. */
export interface ExchangeState {
  readonly ports: ExchangePorts;
  readonly read: ProcessedRequestReader;
  readonly initialMetadata: InitialMetadata;
  /** All is on trial. */
  readonly isObserved: boolean;
  standing: Standing | undefined;
  run: BodyRun | undefined;
  refusedBy: BodyOutcome["refusal"];
  /** Of the decision, without what became of bodies. */
  record: JsonObject | undefined;
  /** What was told of bodies last, as JSON. */
  toldOfBodies: string | undefined;
  isClosed: boolean;
}

/** Where the record stands in dynamic metadata. */
export const processorNamespace = "envoy.filters.http.ext_proc";

const nothingOfResponse: HeadersOutcome["response"] = { head: false, body: "none" };

/** Lets go on what it is, and wants to see nothing of the response. */
export const untouched: HeadersOutcome = {
  mutation: undefined,
  flow: undefined,
  response: nothingOfResponse,
};

/** What the decision asks of body policies. */
export function obligationsOf({ isObserved }: ExchangeState, { obligations }: Decision): readonly string[] {
  return isObserved ? [] : obligations;
}

/** The answer to headers by a rule over bodies. Never throws. */
export function refuseHeaders(
  state: ExchangeState,
  direction: Direction,
  refusal: BodyRefusal,
): HeadersOutcome {
  const immediate = refuseBody(state, direction, refusal);
  return { ...untouched, immediate, metadata: immediate.metadata };
}

/** The answer by a rule over bodies, which is put on record. Never throws. */
export function refuseBody(state: ExchangeState, direction: Direction, refusal: BodyRefusal): Immediate {
  const { ports, isObserved, standing } = state;
  const isFirst = state.refusedBy === undefined && !isObserved;
  if (isFirst) state.refusedBy = { ...refusal, direction };
  let edits: readonly HeaderEdit[] = [];
  let metadata: JsonObject | undefined;
  try {
    if (standing === undefined) metadata = recordUndecided(state, refusal);
    else {
      edits = responseEditsOf(standing.decision);
      metadata = metadataNow(state);
      if (isFirst) amend(state, "refused");
    }
  } catch (error) {
    ports.onError(error);
  }
  return toBodyImmediate(refusal, edits, metadata);
}

/** Nothing was decided before: the refusal is the decision. */
function recordUndecided({ ports, isObserved }: ExchangeState, refusal: BodyRefusal): JsonObject {
  const outcome = { ...fail(refusal.reason), httpStatus: refusal.httpStatus };
  const generation = ports.current()?.snapshot.generation ?? 0;
  const made = { ...refuse(outcome, generation, ports), stage: "body" as const };
  const decision = isObserved ? onTrial(made) : made;
  ports.observe(decision, undefined, 0)?.catch(ports.onError);
  return { [processorNamespace]: recordOf(decision) };
}

/** Tells what became of bodies, if they were looked at. */
export function amend(state: ExchangeState, kind: BodyOutcome["kind"]): void {
  const { ports, standing, run, refusedBy } = state;
  if (standing === undefined || (run === undefined && refusedBy === undefined)) return;
  const { decisionId, generation, attributes, workload } = standing.decision;
  ports.amend({
    kind,
    decisionId,
    isCarried: standing.isCarried,
    generation,
    attributes,
    workload,
    obligations: obligationsOf(state, standing.decision),
    report: reportNow(state),
    refusal: refusedBy,
  });
}

/** What goes wrong in it is not worth a record. */
function reportNow({ ports, run }: ExchangeState): BodyReport | undefined {
  try {
    return run?.report();
  } catch (error) {
    ports.onError(error);
    return undefined;
  }
}

/** The record as far as it is known: a namespace's key is replaced whole, so all of it each time. */
export function metadataNow(state: ExchangeState): JsonObject | undefined {
  const { standing } = state;
  if (standing === undefined) return undefined;
  const body = bodiesNow(state);
  state.toldOfBodies = body && JSON.stringify(body);
  return metadataWith(state, standing, body);
}

/** The record if it says something of bodies that the last one did not. */
export function metadataIfNew(state: ExchangeState): JsonObject | undefined {
  const { standing, toldOfBodies } = state;
  const body = standing && bodiesNow(state);
  if (standing === undefined || body === undefined) return undefined;
  state.toldOfBodies = JSON.stringify(body);
  return state.toldOfBodies === toldOfBodies ? undefined : metadataWith(state, standing, body);
}

function bodiesNow(state: ExchangeState): JsonObject | undefined {
  const report = reportNow(state);
  return report && bodyRecord(report);
}

function metadataWith(
  state: ExchangeState,
  { decision, isCarried }: Standing,
  body: JsonObject | undefined,
): JsonObject {
  const { refusedBy } = state;
  state.record ??= recordOf(decision);
  const record = refusedBy === undefined ? state.record : recordOf({ ...decision, ...ending(refusedBy) });
  const gatehouse = {
    ...(record["gatehouse"] as JsonObject),
    ...(isCarried && { carried: true }),
    ...(body !== undefined && { body }),
  };
  return { [processorNamespace]: { ...record, gatehouse } };
}
