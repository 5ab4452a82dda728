import type { Attributes, Workload } from "../../attributes/index.js";
import type { BodyFlow, LastStep } from "../../body/index.js";
import { GatehouseError } from "../../diagnostics/index.js";
import {
  check,
  type Decision,
  deny,
  destinationWorkload,
  fail,
  mayBeUnknown,
  refuse,
} from "../../engine/index.js";
import { recordOf } from "../ext-authz/index.js";
import type { CarriedOver } from "../handover.js";
import { toCheckRequest } from "./check-request.js";
import type { BesideRequest, HeadersOutcome } from "./exchange.js";
import {
  type ExchangeState,
  metadataNow,
  obligationsOf,
  type Policies,
  processorNamespace,
  refuseHeaders,
  type Standing,
  untouched,
} from "./exchange-state.js";
import type { HeaderLines } from "./message.js";
import { join } from "./mutations.js";
import type { ReadRequest } from "./request.js";
import { requestMutation, responseEditsOf, toImmediate } from "./respond.js";
import { chargedBy, decisionOf, failure, onTrial } from "./standing.js";

/** A request's headers, as they came. */
export interface Asking {
  readonly headers: HeaderLines;
  readonly hasBody: boolean;
  readonly beside: BesideRequest;
  /** When, on the clock of `ports.now`. */
  readonly started: number;
}

type Answered = HeadersOutcome | Promise<HeadersOutcome>;

/** The bytes of a CheckRequest of the request as it is now, with this body. Throws as `toCheckRequest` does. */
type Asked = (attributes: Attributes, body: Uint8Array) => Uint8Array;

const authorizationNamespace = "envoy.filters.http.ext_authz";

/** Decides about a request's headers, as ext_authz's service does, or takes its decision over. Neither throws nor rejects. */
export function decide(state: ExchangeState, asking: Asking): Answered {
  const { ports, isObserved, read, initialMetadata } = state;
  const policies = ports.current();
  if (policies === undefined) {
    return settle(state, refuse(fail("invalid_config"), 0, ports), undefined, asking, turnAway);
  }
  const { snapshot } = policies;
  const { headers, beside } = asking;
  let attributes: Attributes | undefined;
  try {
    const known = read({ headers, beside, initialMetadata }, snapshot.mesh);
    attributes = known.attributes;
    const carried = carriedOver(state, policies, known, asking);
    const asked: Asked = (edited, body) =>
      ports.encodeCheckRequest(toCheckRequest({ ...known, attributes: edited }, beside, body));
    if (carried?.isKnown === true) {
      const { over, workload } = carried;
      const decision = decisionOf(over, known.attributes, workload, snapshot.generation);
      const standing = { policies, decision, isCarried: true, charged: over.charged };
      return goOn(state, standing, asking, asked);
    }
    const original = (): Uint8Array => ports.encodeCheckRequest(toCheckRequest(known, beside));
    const answer = (decision: Decision): Answered => {
      if (!decision.allowed) return turnAway(decision);
      const charged = carried?.over.charged ?? chargedBy(decision);
      return goOn(state, { policies, decision, isCarried: false, charged }, asking, asked);
    };
    const checking = carried === undefined && !isObserved ? ports : { ...ports, isCharged: true };
    const decision = check(snapshot, known.attributes, original, checking);
    if (!(decision instanceof Promise)) return settle(state, decision, known.attributes, asking, answer);
    return decision
      .then((value) => settle(state, value, known.attributes, asking, answer))
      .catch((error: unknown) => refuseFault(state, error, known.attributes, asking, snapshot.generation));
  } catch (error) {
    return refuseFault(state, error, attributes, asking, snapshot.generation);
  }
}

/** Records the decision, waits for it where records are strict, and answers. */
function settle(
  { ports, isObserved }: ExchangeState,
  made: Decision,
  attributes: Attributes | undefined,
  { started }: Asking,
  answer: (decision: Decision) => Answered,
): Answered {
  const { observe, now, onError } = ports;
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
  state: ExchangeState,
  error: unknown,
  attributes: Attributes | undefined,
  asking: Asking,
  generation: number,
): Answered {
  const { ports } = state;
  ports.onError(error);
  const isUnreadable = error instanceof GatehouseError && error.code === "bad_request";
  const outcome = isUnreadable ? deny("guard", "bad_request") : fail("internal_error");
  const refusal = refuse(outcome, generation, ports, attributes?.workload);
  return settle(state, refusal, attributes, asking, turnAway);
}

/** What ext_authz decided of this request; `isKnown`: with all that body policies read. */
interface Carried {
  readonly over: CarriedOver;
  readonly workload: Workload | undefined;
  readonly isKnown: boolean;
}

/** The decision that ext_authz made of this request, if it was one of ours. */
function carriedOver(
  { ports }: ExchangeState,
  { snapshot, bodies }: Policies,
  { attributes }: ReadRequest,
  { beside, headers }: Asking,
): Carried | undefined {
  const { handover, onError } = ports;
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

/** On to the upstream, under body policies. Never throws. */
function goOn(state: ExchangeState, standing: Standing, asking: Asking, asked: Asked): Answered {
  const { policies, decision, charged } = standing;
  const { headers, hasBody } = asking;
  state.standing = standing;
  // The client is gone, and nobody would close what begins now.
  if (state.isClosed) return untouched;
  try {
    const { attributes, workload } = decision;
    const obligations = obligationsOf(state, decision);
    const plan = policies.bodies(workload);
    if (plan === undefined && obligations.length > 0) {
      return refuseHeaders(state, "request", failure("unknown_obligation", obligations[0]));
    }
    if (plan !== undefined) {
      // INVARIANT: a decision that lets go on has them; without them no policy could be asked.
      if (attributes === undefined) return refuseHeaders(state, "request", failure("internal_error"));
      const checkRequest = (body: Uint8Array): Uint8Array => asked(attributes, body);
      const isTrial = state.isObserved;
      const input = { attributes, workload, obligations, charged, hasBody, checkRequest, isTrial };
      const begun = plan.begin(input);
      if (begun !== undefined && "httpStatus" in begun) return refuseHeaders(state, "request", begun);
      state.run = begun;
    }
    const { run } = state;
    const mutation = join(requestMutation(decision, headers, attributes), run?.requestEdits);
    const flow = run?.request;
    const isAnswered = responseEditsOf(decision).length > 0;
    const response = run?.response ?? untouched.response;
    const onwards = (): HeadersOutcome => ({
      mutation,
      flow,
      metadata: metadataNow(state),
      response: isAnswered && !response.head ? { ...response, head: true } : response,
    });
    // Nothing would come that ends it: it is asked now.
    return flow === undefined || hasBody ? onwards() : endNow(state, flow, onwards);
  } catch (error) {
    return refuseInternal(state, error);
  }
}

function refuseInternal(state: ExchangeState, error: unknown): HeadersOutcome {
  state.ports.onError(error);
  return refuseHeaders(state, "request", failure("internal_error"));
}

/** Ends the flow of a request without a body. Neither throws nor rejects. */
function endNow(state: ExchangeState, flow: BodyFlow, onwards: () => HeadersOutcome): Answered {
  const settled = (step: LastStep): HeadersOutcome => {
    if (step.kind === "refuse") return refuseHeaders(state, "request", step.refusal);
    const outcome = onwards();
    const mutation = join(join(outcome.mutation, flow.headEdits), step.edits);
    return { ...outcome, mutation, flow: undefined };
  };
  const step = flow.end();
  if (!(step instanceof Promise)) return settled(step);
  return step.then(settled).catch((error: unknown) => refuseInternal(state, error));
}
