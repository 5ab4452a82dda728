import type { ByteString, HttpRequest, RequestAuth } from "../attributes/index.js";
import type { JwtReason } from "./jwt-status.js";

/** How a caller showed who it is. */
export type AuthnMethod = "jwt" | "envoy_jwt" | "introspection" | "api_key";

/** Why a credential was refused; a closed set, so that it can be a label. */
export type AuthnReason =
  | JwtReason
  | "introspection_inactive"
  | "introspection_scope_missing"
  | "introspection_wrong_issuer"
  | "introspection_wrong_audience"
  | "introspection_failed"
  | "token_malformed"
  | "too_many_credentials"
  | "api_key_unknown"
  | "api_key_expired"
  | "api_key_revoked";

/** A credential that was looked at and not taken; never holds the credential itself. */
export interface RefusedCredential {
  readonly method: AuthnMethod;
  /** The issuer or the resource (`NAMESPACE/NAME`) that was asked, from the configuration. */
  readonly issuer: string;
  readonly reason: AuthnReason;
}

/** Which identity a request has and why another was refused; goes into the decision record. */
export interface AuthnRecord {
  readonly method: AuthnMethod | undefined;
  /** The issuer or the resource (`NAMESPACE/NAME`) that knows the identity, from the configuration. */
  readonly issuer: string;
  /** `ISSUER/SUBJECT` of the identity in use; empty where either is missing. */
  readonly principal: string;
  readonly refused: readonly RefusedCredential[];
}

/** What authentication wants changed on the way to the upstream. Names in lower case, values as byte strings. */
export interface RequestChanges {
  readonly headersToSet: readonly (readonly [name: string, value: ByteString])[];
  readonly headersToRemove: readonly string[];
  /** As they are spelled in the query, before decoding. */
  readonly paramsToRemove: readonly string[];
  /** The same object for many requests: what is made of it may be kept. */
  readonly isLasting: boolean;
}

/** The request may go on: with an identity, or anonymous. */
export interface Authenticated {
  readonly refusal: undefined;
  readonly auth: RequestAuth | undefined;
  /** The request as the stages behind see it. */
  readonly request: HttpRequest;
  /** Undefined: nothing changes. */
  readonly changes: RequestChanges | undefined;
  /** Undefined when there was no credential at all. */
  readonly record: AuthnRecord | undefined;
}

/** The gRPC codes that refusals have (google.rpc.Code). */
export const refusalCode = { permissionDenied: 7, internal: 13, unauthenticated: 16 } as const;

/** The request ends here. */
export interface Refusal {
  readonly reason: AuthnReason;
  readonly httpStatus: number;
  /** google.rpc.Code. */
  readonly code: number;
  /** Body of the answer: fixed words, nothing of the credential. */
  readonly body: string;
  /** Value of `www-authenticate`; undefined: none. */
  readonly challenge: ByteString | undefined;
}

/** A request with more credentials than anybody needs. */
export const tooMany: Refusal = {
  reason: "too_many_credentials",
  httpStatus: 401,
  code: refusalCode.unauthenticated,
  body: "Too many credentials",
  challenge: 'Bearer error="invalid_request"',
};

/** A credential was not good, or could not be judged. */
export interface Unauthenticated {
  readonly refusal: Refusal;
  readonly record: AuthnRecord;
}

/** What stage 3 finds. */
export type AuthnOutcome = Authenticated | Unauthenticated;

/**
 * Stage 3 for one workload, as `createAuthentication` makes it. `nowMs` is milliseconds since the epoch; `isKnown`: the
 * caller is known already (then there are no JWT rules), so that credentials are judged but give no identity and no
 * headers. Gives a promise only when something has to be awaited (a signature that is not remembered, keys, an
 * introspection endpoint); never rejects for what a client sent.
 */
export type Authentication = (
  request: HttpRequest,
  nowMs: number,
  isKnown?: boolean,
) => AuthnOutcome | Promise<AuthnOutcome>;

/** Told of every outcome, with how often the request's tokens were remembered. */
export type AuthnObserver = (
  outcome: AuthnOutcome,
  cache: { readonly cacheHits: number; readonly cacheMisses: number },
) => void;
