import type { Attributes, ByteString, Workload } from "../attributes/index.js";
import type { HeaderEdit, Reason } from "../engine/index.js";

/**
 * What a flow needs of a body. `whole`: nothing of the message, its headers included, goes on before the
 * body is over.
 */
export type BodyNeed = "none" | "streamed" | "whole";

/** An answer in place of the request or response. */
export interface BodyRefusal {
  readonly httpStatus: number;
  /** google.rpc.Code. */
  readonly code: number;
  readonly reason: Reason;
  /** `NAMESPACE/NAME` of the BodyPolicy. */
  readonly policy: string;
  /** Never names a policy. */
  readonly body: string;
  readonly contentType: string;
  /** Of the answer; may say its type in place of `contentType`. */
  readonly headers?: readonly HeaderEdit[];
}

/**
 * Headers to change; put in order, and removed before they are put. Names are lower-case, values byte
 * strings.
 */
export interface HeaderEdits {
  readonly remove: readonly string[];
  readonly set: readonly HeaderEdit[];
}

/** What became of a piece of body. */
export type FlowStep =
  /** These bytes may go on, perhaps none yet. */
  | { readonly kind: "go"; readonly bytes: Uint8Array }
  | { readonly kind: "refuse"; readonly refusal: BodyRefusal };

/** The last step also says what of the headers changes; heeded where the flow is `whole` only. */
export type LastStep =
  | { readonly kind: "go"; readonly bytes: Uint8Array; readonly edits: HeaderEdits }
  | { readonly kind: "refuse"; readonly refusal: BodyRefusal };

/**
 * One body under its policies. Calls come one after the other, each after the answer to the one before.
 * Neither throws nor rejects: what goes wrong is a refusal.
 */
export interface BodyFlow {
  readonly need: "streamed" | "whole";
  /**
   * Headers that have to change before the first byte is known: content-length, content-encoding, etag,
   * digest.
   */
  readonly headEdits: HeaderEdits;
  /** Trailers that say of the body what is not true any more, and go. */
  readonly untrueTrailers?: readonly string[];
  /** Bytes that it keeps now; undefined: none worth counting. */
  readonly heldBytes?: number;
  /** There is no room: ends trials that keep something, and gives what goes on now, since nobody else keeps it. */
  giveUpTrials?(): Uint8Array;
  push(chunk: Uint8Array): FlowStep | Promise<FlowStep>;
  end(): LastStep | Promise<LastStep>;
}

/** The head of a response. */
export interface ResponseHead {
  readonly code: number;
  /** Lower-cased names, every line in order, pseudo-headers included. */
  readonly headers: ReadonlyMap<string, readonly ByteString[]>;
  /** No body follows: its headers end the stream, or HEAD, 204, 304, an accepted upgrade. */
  readonly hasBody: boolean;
}

/** What happens to a response, known when its head is there. */
export type ResponseStep =
  | {
      readonly kind: "go";
      readonly edits: HeaderEdits;
      /** Undefined: the body is not looked at. */
      readonly flow: BodyFlow | undefined;
      /** Stands in place of the body, which is not looked at. */
      readonly replacement: Uint8Array | undefined;
    }
  | { readonly kind: "refuse"; readonly refusal: BodyRefusal };

/** What was done, for the record: names and numbers only, never a part of a body. */
export interface BodyReport {
  /** `NAMESPACE/NAME` of those that applied, dry runs included. */
  readonly policies: readonly string[];
  /** Of the obligations those that were carried out to the end. */
  readonly fulfilled: readonly string[];
  /** Findings and changed fields, by `NAMESPACE/NAME/RULE`. */
  readonly changes: ReadonlyMap<string, number>;
  readonly refused:
    | { readonly policy: string; readonly reason: Reason; readonly phase: "request" | "response" }
    | undefined;
  /** What policies on trial would have refused. */
  readonly dryRun: readonly { readonly policy: string; readonly reason: Reason }[];
  /** Bytes that were looked at. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** What was committed to quotas after the fact. */
  readonly usage: readonly { readonly quota: string; readonly units: number }[];
  /** `onLimit: pass`, or a fault of our own with `failOpen`: not everything was looked at. */
  readonly unscanned: boolean;
}

/** One request and its response under body policies. */
export interface BodyRun {
  /** Headers of the request to change. */
  readonly requestEdits: HeaderEdits;
  /**
   * Undefined: the request's body is not looked at. Also of a request without a body there may be one, where
   * a rule has to be asked that takes its time: it is ended at once then.
   */
  readonly request: BodyFlow | undefined;
  /**
   * Whether response headers, and perhaps a body, have to be seen. `streamed` and `whole`: the most that may
   * be needed.
   */
  readonly response: { readonly head: boolean; readonly body: BodyNeed };
  /** Once, when the head of the response is there. Neither throws nor rejects. */
  responseHead(head: ResponseHead): ResponseStep;
  /** So far. */
  report(): BodyReport;
  /** The stream is over, in whatever way: frees what its flows hold, and charges what is to be charged. Once. */
  close(): void;
}

/** What a run begins with. */
export interface BodyInput {
  /** As the stages of the decision left the request. */
  readonly attributes: Attributes;
  readonly workload: Workload | undefined;
  /** BodyPolicies that the decision asks for, `NAMESPACE/NAME`. */
  readonly obligations: readonly string[];
  /** What stage 6 charged, by quota: the reserve of usage rules. */
  readonly charged: ReadonlyMap<string, number>;
  /** A body follows the request's headers. */
  readonly hasBody: boolean;
  /** All policies are on trial, as those with `dryRun` are. */
  readonly isTrial?: boolean;
  /**
   * The bytes of a CheckRequest with this body, whose `content-length` is that of the body: what Rego's
   * `input` is made of. Undefined: rules that ask a RegoPolicy refuse. May throw.
   */
  readonly checkRequest?: ((body: Uint8Array) => Uint8Array) | undefined;
}

/** The body policies of one workload. */
export interface BodyPlan {
  /**
   * What applies to a request; undefined: nothing. A refusal: an obligation that nobody knows, or a
   * condition that could not be evaluated. Neither throws nor rejects.
   */
  begin(input: BodyInput): BodyRun | BodyRefusal | undefined;
  /** Some policy reads who the caller is, so that a decision that is carried over has to bring it along. */
  readonly readsIdentity: boolean;
}
