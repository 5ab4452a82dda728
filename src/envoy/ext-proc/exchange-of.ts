import { decide } from "./deciding.js";
import type { InitialMetadata } from "./destination.js";
import type { BesideRequest, Exchange, HeadersOutcome } from "./exchange.js";
import {
  amend,
  type ExchangePorts,
  type ExchangeState,
  metadataIfNew,
  refuseBody,
  refuseHeaders,
  untouched,
} from "./exchange-state.js";
import type { HeaderLines } from "./message.js";
import { join } from "./mutations.js";
import { createProcessedRequestReader } from "./request.js";
import { responseEditsOf, responseMutation } from "./respond.js";
import { failure, isLocalReply } from "./standing.js";

/** Makes the exchanges of streams. */
export interface Exchanges {
  /**
   * Of a new stream. What it says neither throws nor rejects. `isObserved`: Envoy does not wait for answers, so all policies
   * are on trial: the record says what they would have done, and quotas are left alone.
   */
  readonly open: (initialMetadata: InitialMetadata, isObserved: boolean) => Exchange;
}

/** Makes exchanges that decide as ext_authz's service does, or take its decision over, and then follow body policies. */
export function createExchanges(ports: ExchangePorts): Exchanges {
  const read = createProcessedRequestReader();
  return {
    open: (initialMetadata, isObserved) =>
      openExchange({
        ports,
        read,
        initialMetadata,
        isObserved,
        standing: undefined,
        run: undefined,
        refusedBy: undefined,
        record: undefined,
        toldOfBodies: undefined,
        isClosed: false,
      }),
  };
}

function openExchange(state: ExchangeState): Exchange {
  const { now, onError } = state.ports;
  return {
    requestHeaders(headers, hasBody, beside) {
      try {
        return decide(state, { headers, hasBody, beside, started: now() });
      } catch (error) {
        onError(error);
        return refuseHeaders(state, "request", failure("internal_error"));
      }
    },
    responseHeaders(headers, hasBody, beside) {
      try {
        return respond(state, headers, hasBody, beside);
      } catch (error) {
        onError(error);
        return refuseHeaders(state, "response", failure("internal_error"));
      }
    },
    refused: (direction, refusal) => refuseBody(state, direction, refusal),
    metadata() {
      try {
        return metadataIfNew(state);
      } catch (error) {
        onError(error);
        return undefined;
      }
    },
    violated: (direction, what) =>
      refuseBody(state, direction, failure(what === "body_not_sent" ? what : "bad_request")),
    close: () => close(state),
  };
}

function respond(
  state: ExchangeState,
  headers: HeaderLines,
  hasBody: boolean,
  beside: BesideRequest | undefined,
): HeadersOutcome {
  const { standing, run } = state;
  const code = Number(headers.get(":status")?.[0]);
  if (standing === undefined) {
    if (isLocalReply(code, beside)) return untouched;
    return refuseHeaders(state, "response", failure("bad_request"));
  }
  const own = responseMutation(responseEditsOf(standing.decision), headers);
  const step = run?.responseHead({ code, headers, hasBody });
  if (step === undefined) return { ...untouched, mutation: own };
  if (step.kind === "refuse") return refuseHeaders(state, "response", step.refusal);
  return {
    mutation: join(own, step.edits),
    flow: step.flow,
    replaceBody: step.replacement,
    metadata: metadataIfNew(state),
    response: untouched.response,
  };
}

function close(state: ExchangeState): void {
  if (state.isClosed) return;
  state.isClosed = true;
  const { onError } = state.ports;
  try {
    state.run?.close();
  } catch (error) {
    onError(error);
  }
  try {
    amend(state, "closed");
  } catch (error) {
    onError(error);
  }
}
