import type { Attributes, JsonObject, Workload } from "../../attributes/index.js";
import type { BodyFlow, BodyPlan, BodyRefusal, BodyReport, BodyRun, LastStep } from "../../body/index.js";
import { GatehouseError } from "../../diagnostics/index.js";
import {
  check,
  type Decision,
  deny,
  destinationWorkload,
  fail,
  type HeaderEdit,
  mayBeUnknown,
  refuse,
  type Snapshot,
} from "../../engine/index.js";
import type { CheckRequest } from "../../proto/index.js";
import { type AuthorizationOptions, recordOf } from "../ext-authz/index.js";
import type { CarriedOver, Handover } from "../handover.js";
import { bodyRecord } from "./body-record.js";
import { toCheckRequest } from "./check-request.js";
import type { InitialMetadata } from "./destination.js";
import type { BesideRequest, Exchange, HeadersOutcome, Immediate } from "./exchange.js";
import type { Direction, HeaderLines } from "./message.js";
import { join } from "./mutations.js";
import { createProcessedRequestReader, type ReadRequest } from "./request.js";
import {
  requestMutation,
  responseEditsOf,
  responseMutation,
  toBodyImmediate,
  toImmediate,
} from "./respond.js";
import { chargedBy, decisionOf, ending, failure, isLocalReply, onTrial } from "./standing.js";

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

/** Makes the exchanges of streams. */
export interface Exchanges {
  /**
   * Of a new stream. What it says neither throws nor rejects. `isObserved`: Envoy does not wait for answers, so all policies
   * are on trial: the record says what they would have done, and quotas are left alone.
   */
  readonly open: (initialMetadata: InitialMetadata, isObserved: boolean) => Exchange;
}

/** The bytes of a CheckRequest of the request as it is now, with this body. Throws as `toCheckRequest` does. */
type Asked = (attributes: Attributes, body: Uint8Array) => Uint8Array;

/** A decision that lets go on, and what it was made by. */
interface Standing {
  readonly policies: Policies;
  readonly decision: Decision;
  readonly isCarried: boolean;
  readonly charged: ReadonlyMap<string, number>;
}

const processorNamespace = "envoy.filters.http.ext_proc";
const authorizationNamespace = "envoy.filters.http.ext_authz";
const noObligations: readonly string[] = [];
const nothingOfResponse: HeadersOutcome["response"] = { head: false, body: "none" };
const untouched: HeadersOutcome = { mutation: undefined, flow: undefined, response: nothingOfResponse };

/** Makes exchanges that decide as ext_authz's service does, or take its decision over, and then follow body policies. */
export function createExchanges(ports: ExchangePorts): Exchanges {
  const read = createProcessedRequestReader();
  return {
    open: (initialMetadata, isObserved) => openExchange(ports, read, initialMetadata, isObserved),
  };
}

function openExchange(
  ports: ExchangePorts,
  read: ReturnType<typeof createProcessedRequestReader>,
  initialMetadata: InitialMetadata,
  isObserved: boolean,
): Exchange {
  const { now, observe, onError } = ports;
  let standing: Standing | undefined;
  let run: BodyRun | undefined;
  let refusedBy: BodyOutcome["refusal"];
  let lastRecord = "";
  let isClosed = false;

  /** Records the decision, waits for it where records are strict, and answers. */
  function settle(
    made: Decision,
    attributes: Attributes | undefined,
    started: number,
    answer: (decision: Decision) => HeadersOutcome | Promise<HeadersOutcome>,
  ): HeadersOutcome | Promise<HeadersOutcome> {
    const decision = isObserved ? onTrial(made) : made;
    const recorded = observe(decision, attributes, now() - started);
    if (recorded === undefined) return answer(decision);
    return recorded.then(
      () => answer(decision),
      (error: unknown) => {
        onError(error);
        if (isObserved) return answer(decision);
        const refusal = { ...decision, ...fail("unrecorded"), obligations: [] };
        observe(refusal, attributes, now() - started)?.catch(() => {});
        return turnAway(refusal);
      },
    );
  }

  function turnAway(decision: Decision): HeadersOutcome {
    const record = { [processorNamespace]: recordOf(decision) };
    return { ...untouched, immediate: toImmediate(decision, record), metadata: record };
  }

  /** Fail closed: what could not be read is refused, what went wrong is an internal error. */
  function refuseFault(
    error: unknown,
    attributes: Attributes | undefined,
    generation: number,
    started: number,
  ): HeadersOutcome | Promise<HeadersOutcome> {
    onError(error);
    const isUnreadable = error instanceof GatehouseError && error.code === "bad_request";
    const outcome = isUnreadable ? deny("guard", "bad_request") : fail("internal_error");
    const refusal = refuse(outcome, generation, ports, attributes?.workload);
    return settle(refusal, attributes, started, turnAway);
  }

  /** The decision that ext_authz made of this request, if it was one of ours; `isKnown`: with all that policies read. */
  function carriedOver(
    { snapshot, bodies }: Policies,
    { attributes }: ReadRequest,
    beside: BesideRequest,
    headers: HeaderLines,
  ):
    | { readonly over: CarriedOver; readonly workload: Workload | undefined; readonly isKnown: boolean }
    | undefined {
    const { handover } = ports;
    if (handover === undefined) return undefined;
    const workload = destinationWorkload(snapshot, attributes);
    let over: CarriedOver | undefined;
    try {
      over = handover.accept(beside.metadata(authorizationNamespace), headers, workload);
    } catch (error) {
      onError(error);
    }
    if (over === undefined) return undefined;
    // Body policies would be looked for in the wrong place.
    if (workload === undefined && !mayBeUnknown(snapshot)) return undefined;
    return { over, workload, isKnown: over.auth !== "unknown" || bodies(workload)?.readsIdentity !== true };
  }

  function decide(
    policies: Policies,
    headers: HeaderLines,
    hasBody: boolean,
    beside: BesideRequest,
    started: number,
  ): HeadersOutcome | Promise<HeadersOutcome> {
    const { snapshot } = policies;
    let attributes: Attributes | undefined;
    try {
      const known = read({ headers, beside, initialMetadata }, snapshot.mesh);
      attributes = known.attributes;
      const carried = carriedOver(policies, known, beside, headers);
      const asked: Asked = (edited, body) => {
        const request = toCheckRequest({ ...known, attributes: edited }, beside, body);
        return ports.encodeCheckRequest(request);
      };
      if (carried?.isKnown === true) {
        const { over, workload } = carried;
        standing = {
          policies,
          decision: decisionOf(over, known.attributes, workload, snapshot.generation),
          isCarried: true,
          charged: over.charged,
        };
        return goOn(standing, headers, hasBody, asked);
      }
      const original = (): Uint8Array => ports.encodeCheckRequest(toCheckRequest(known, beside));
      const answer = (decision: Decision): HeadersOutcome | Promise<HeadersOutcome> => {
        if (!decision.allowed) return turnAway(decision);
        const charged = carried?.over.charged ?? chargedBy(decision);
        standing = { policies, decision, isCarried: false, charged };
        return goOn(standing, headers, hasBody, asked);
      };
      const asking = carried === undefined && !isObserved ? ports : { ...ports, isCharged: true };
      const decision = check(snapshot, known.attributes, original, asking);
      if (!(decision instanceof Promise)) return settle(decision, known.attributes, started, answer);
      return decision
        .then((value) => settle(value, known.attributes, started, answer))
        .catch((error: unknown) => refuseFault(error, known.attributes, snapshot.generation, started));
    } catch (error) {
      return refuseFault(error, attributes, snapshot.generation, started);
    }
  }

  /** On to the upstream, under body policies. Never throws. */
  function goOn(
    { policies, decision, charged }: Standing,
    headers: HeaderLines,
    hasBody: boolean,
    asked: Asked,
  ): HeadersOutcome | Promise<HeadersOutcome> {
    const { attributes, workload } = decision;
    const obligations = isObserved ? noObligations : decision.obligations;
    // The client is gone, and nobody would close what begins now.
    if (isClosed) return untouched;
    try {
      const plan = policies.bodies(workload);
      if (plan === undefined && obligations.length > 0) {
        return refuseHeaders("request", failure("unknown_obligation", obligations[0]));
      }
      if (plan !== undefined) {
        // INVARIANT: a decision that lets go on has them; without them no policy could be asked.
        if (attributes === undefined) return refuseHeaders("request", failure("internal_error"));
        const checkRequest = (body: Uint8Array): Uint8Array => asked(attributes, body);
        const begun = plan.begin({
          attributes,
          workload,
          obligations,
          charged,
          hasBody,
          checkRequest,
          isTrial: isObserved,
        });
        if (begun !== undefined && "httpStatus" in begun) return refuseHeaders("request", begun);
        run = begun;
      }
      const mutation = join(requestMutation(decision, headers, attributes), run?.requestEdits);
      const flow = run?.request;
      const isAnswered = responseEditsOf(decision).length > 0;
      const response = run?.response ?? nothingOfResponse;
      const onwards = (): HeadersOutcome => ({
        mutation,
        flow,
        metadata: metadataNow(),
        response: isAnswered && !response.head ? { ...response, head: true } : response,
      });
      // Nothing would come that ends it: it is asked now.
      return flow === undefined || hasBody ? onwards() : endNow(flow, onwards);
    } catch (error) {
      onError(error);
      return refuseHeaders("request", failure("internal_error"));
    }
  }

  /** Ends the flow of a request without a body. Neither throws nor rejects. */
  function endNow(flow: BodyFlow, onwards: () => HeadersOutcome): HeadersOutcome | Promise<HeadersOutcome> {
    const settled = (step: LastStep): HeadersOutcome => {
      if (step.kind === "refuse") return refuseHeaders("request", step.refusal);
      const outcome = onwards();
      const mutation = join(join(outcome.mutation, flow.headEdits), step.edits);
      return { ...outcome, mutation, flow: undefined };
    };
    const step = flow.end();
    if (!(step instanceof Promise)) return settled(step);
    return step.then(settled).catch((error: unknown) => {
      onError(error);
      return refuseHeaders("request", failure("internal_error"));
    });
  }

  function refuseHeaders(direction: Direction, refusal: BodyRefusal): HeadersOutcome {
    const immediate = refuseBody(direction, refusal);
    return { ...untouched, immediate, metadata: immediate.metadata };
  }

  /** Never throws. */
  function refuseBody(direction: Direction, refusal: BodyRefusal): Immediate {
    const isFirst = refusedBy === undefined;
    if (!isObserved) refusedBy ??= { ...refusal, direction };
    let edits: readonly HeaderEdit[] = [];
    let metadata: JsonObject | undefined;
    try {
      if (standing === undefined) {
        const outcome = { ...fail(refusal.reason), httpStatus: refusal.httpStatus };
        const generation = ports.current()?.snapshot.generation ?? 0;
        const made = { ...refuse(outcome, generation, ports), stage: "body" as const };
        const decision = isObserved ? onTrial(made) : made;
        observe(decision, undefined, 0)?.catch(onError);
        metadata = { [processorNamespace]: recordOf(decision) };
      } else {
        edits = responseEditsOf(standing.decision);
        metadata = metadataNow();
        if (isFirst && !isObserved) amend("refused");
      }
    } catch (error) {
      onError(error);
    }
    return toBodyImmediate(refusal, edits, metadata);
  }

  /** What goes wrong in it is not worth a record. */
  function reportNow(): BodyReport | undefined {
    try {
      return run?.report();
    } catch (error) {
      onError(error);
      return undefined;
    }
  }

  function amend(kind: BodyOutcome["kind"]): void {
    if (standing === undefined || (run === undefined && refusedBy === undefined)) return;
    const { decisionId, generation, attributes, workload, obligations } = standing.decision;
    ports.amend({
      kind,
      decisionId,
      isCarried: standing.isCarried,
      generation,
      attributes,
      workload,
      obligations: isObserved ? noObligations : obligations,
      report: reportNow(),
      refusal: refusedBy,
    });
  }

  /** The record as far as it is known: a namespace's key is replaced whole, so all of it each time. */
  function metadataNow(): JsonObject | undefined {
    if (standing === undefined) return undefined;
    const decision =
      refusedBy === undefined ? standing.decision : { ...standing.decision, ...ending(refusedBy) };
    const report = reportNow();
    const record = recordOf(decision);
    const gatehouse = {
      ...(record["gatehouse"] as JsonObject),
      ...(standing.isCarried && { carried: true }),
      ...(report !== undefined && { body: bodyRecord(report) }),
    };
    const metadata = { [processorNamespace]: { ...record, gatehouse } };
    if (run !== undefined) lastRecord = JSON.stringify(gatehouse);
    return metadata;
  }

  /** The record if it says something that the last one did not. */
  function metadataIfNew(): JsonObject | undefined {
    if (run === undefined) return undefined;
    const before = lastRecord;
    const metadata = metadataNow();
    return lastRecord === before ? undefined : metadata;
  }

  return {
    requestHeaders(headers, hasBody, beside) {
      const started = now();
      try {
        const policies = ports.current();
        if (policies !== undefined) return decide(policies, headers, hasBody, beside, started);
        return settle(refuse(fail("invalid_config"), 0, ports), undefined, started, turnAway);
      } catch (error) {
        onError(error);
        return refuseHeaders("request", failure("internal_error"));
      }
    },
    responseHeaders(headers, hasBody, beside) {
      try {
        const code = Number(headers.get(":status")?.[0]);
        if (standing === undefined) {
          return isLocalReply(code, beside) ? untouched : refuseHeaders("response", failure("bad_request"));
        }
        const own = responseMutation(responseEditsOf(standing.decision), headers);
        const step = run?.responseHead({ code, headers, hasBody });
        if (step === undefined) return { ...untouched, mutation: own };
        if (step.kind === "refuse") return refuseHeaders("response", step.refusal);
        return {
          mutation: join(own, step.edits),
          flow: step.flow,
          replaceBody: step.replacement,
          metadata: metadataIfNew(),
          response: nothingOfResponse,
        };
      } catch (error) {
        onError(error);
        return refuseHeaders("response", failure("internal_error"));
      }
    },
    refused: refuseBody,
    metadata() {
      try {
        return metadataIfNew();
      } catch (error) {
        onError(error);
        return undefined;
      }
    },
    violated(direction, what) {
      return refuseBody(direction, failure(what === "body_not_sent" ? what : "bad_request"));
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      try {
        run?.close();
      } catch (error) {
        onError(error);
      }
      try {
        amend("closed");
      } catch (error) {
        onError(error);
      }
    },
  };
}
