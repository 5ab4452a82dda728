import type { Attributes, Workload } from "../attributes/index.js";
import type { Edits } from "./edits.js";

/** What a provider is asked with. */
export interface ProviderRequest {
  /** As the stages before left the request. */
  readonly attributes: Attributes;
  /** The CheckRequest as Envoy sent it, byte by byte. */
  readonly original: Uint8Array;
  /** Whose policies are asked, undefined where it is unknown. */
  readonly workload: Workload | undefined;
  /** What the stages before changed; it is in `attributes` already. */
  readonly edits: Edits;
}

/** A provider's answer. */
export interface Verdict {
  readonly allowed: boolean;
  /** HTTP status of a refusal; ignored when allowed. */
  readonly httpStatus: number;
  /** gRPC code of the refusal as the provider gave it; ignored when allowed. */
  readonly code: number;
  readonly body: string;
  /** Of an allowed request: what to change. Of a refused one: `responseHeaders` of the refusal. */
  readonly edits: Edits;
  /**
   * Keys to stand in our dynamic metadata beside the record; but `obligations`, a name of a BodyPolicy or a list of
   * them, becomes part of the decision of a request that is allowed, and refuses it when it is anything else.
   */
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  /** The provider could not answer and its own `failOpen` allowed the request. */
  readonly failedOpen: boolean;
  /** The provider could not answer (deadline, connection, 5xx). */
  readonly failed: boolean;
  /** Its edits may rewrite the request's own parts: path, method, authority and scheme. */
  readonly mayRewrite?: true;
  /** The request itself cannot be read, whatever the policy: a refusal that says so. */
  readonly isBadRequest?: true;
  /** What a policy on trial would have answered; `allowed` is true whatever it is. */
  readonly dryRun?: "allowed" | "denied";
}

/**
 * Port: an authorizer behind one question. Neither throws nor rejects: what goes wrong is a refusal or its
 * `failOpen`, within its own deadline. One that need not wait answers at once.
 */
export type Provider = (request: ProviderRequest) => Verdict | Promise<Verdict>;
