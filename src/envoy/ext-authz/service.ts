import type { Attributes } from "../../attributes/index.js";
import { GatehouseError } from "../../diagnostics/index.js";
import { check, type Decision, deny, fail, refuse, type Snapshot } from "../../engine/index.js";
import type { CheckRequest__Output, CheckResponse } from "../../proto/index.js";
import type { Carried } from "../handover.js";
import { createResponseEncoder } from "./encode.js";
import { createRequestReader } from "./request.js";

/** What the service needs from its surroundings. */
export interface AuthorizationOptions {
  /** The snapshot in force; undefined while there is no valid configuration. */
  readonly current: () => Snapshot | undefined;
  /** A fresh id, ASCII. */
  readonly decisionId: () => string;
  /** Encodes a CheckResponse. */
  readonly encode: (response: CheckResponse) => Uint8Array;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number;
  /**
   * Told of every decision. `attributes` is undefined when the request could not be read. Must not throw. A promise: the
   * answer has to wait until the decision is on record; when it rejects, the answer is a refusal, `unrecorded`, of which
   * this is told, too.
   */
  readonly observe: (
    decision: Decision,
    attributes: Attributes | undefined,
    elapsedMs: number,
  ) => Promise<unknown> | undefined;
  /**
   * What of a decision goes over to ext_proc; undefined where nothing does. Absent: there is no ext_proc. Where it throws,
   * ext_proc decides anew.
   */
  readonly carry?: ((decision: Decision) => Carried | undefined) | undefined;
  /** Told of what should not have happened. */
  readonly onError: (error: unknown) => void;
}

/** `envoy.service.auth.v3.Authorization`. */
export interface Authorization {
  /**
   * Decides; answers with an encoded CheckResponse. Never throws, never rejects. `bytes` is the request as
   * received.
   */
  readonly check: (request: CheckRequest__Output, bytes: Uint8Array) => Answer;
  /**
   * Refuses without looking at a request: its bytes are no CheckRequest, or its sender is not one that may ask. With a
   * decision record, as every answer. Never throws.
   */
  readonly refuse: (reason: "bad_request" | "untrusted_caller") => Answer;
}

/** An encoded CheckResponse; never a rejection. */
type Answer = Uint8Array | Promise<Uint8Array>;

/** Makes the service. Handlers know nothing of the transport. */
export function createAuthorization(options: AuthorizationOptions): Authorization {
  const { carry, current, now, observe, onError } = options;
  const read = createRequestReader();
  const encodePlain = createResponseEncoder(options.encode);
  const encode = carry === undefined ? encodePlain : encodeCarried;

  function encodeCarried(decision: Decision): Uint8Array {
    let carried: Carried | undefined;
    try {
      carried = decision.allowed ? carry?.(decision) : undefined;
    } catch (error) {
      onError(error);
    }
    return encodePlain(decision, carried);
  }

  function answer(decision: Decision, attributes: Attributes | undefined, started: number): Answer {
    const recorded = observe(decision, attributes, now() - started);
    if (recorded === undefined) return encode(decision);
    return recorded.then(
      () => encode(decision),
      (error: unknown) => {
        onError(error);
        const refusal = { ...decision, ...fail("unrecorded") };
        observe(refusal, attributes, now() - started)?.catch(() => {});
        return encode(refusal);
      },
    );
  }

  /** Fail closed: what could not be read is refused, what went wrong is an internal error. */
  function refuseFault(
    error: unknown,
    attributes: Attributes | undefined,
    generation: number,
    started: number,
  ): Answer {
    onError(error);
    const unreadable = error instanceof GatehouseError && error.code === "bad_request";
    const outcome = unreadable ? deny("guard", "bad_request") : fail("internal_error");
    return answer(refuse(outcome, generation, options, attributes?.workload), attributes, started);
  }

  return {
    refuse(reason) {
      const outcome = deny("guard", reason);
      return answer(refuse(outcome, current()?.generation ?? 0, options), undefined, now());
    },
    check(request, bytes) {
      const started = now();
      const snapshot = current();
      if (snapshot === undefined)
        return answer(refuse(fail("invalid_config"), 0, options), undefined, started);
      let attributes: Attributes | undefined;
      try {
        const known = read(request, snapshot.mesh);
        attributes = known;
        const decision = check(snapshot, known, bytes, options);
        if (!(decision instanceof Promise)) return answer(decision, known, started);
        return decision
          .then((value) => answer(value, known, started))
          .catch((error: unknown) => refuseFault(error, known, snapshot.generation, started));
      } catch (error) {
        return refuseFault(error, attributes, snapshot.generation, started);
      }
    },
  };
}
