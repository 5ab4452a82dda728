import type { TokenPlaces } from "./token-places.js";

/**
 * One issuer whose tokens are taken, as plain data: what Envoy's jwt_authn filter calls a provider
 * (`envoy.extensions.filters.http.jwt_authn.v3.JwtProvider`) and Istio a JWTRule.
 */
export interface JwtRule {
  /** Compared with `iss`; empty: a token of any issuer that the keys verify. */
  readonly issuer: string;
  /** Empty: any audience. */
  readonly audiences: readonly string[];
  readonly keys: KeyLocator;
  /** Where tokens are looked for; Istio's defaults are already in it. */
  readonly places: TokenPlaces;
  /** False: a verified token is removed from its header or query parameter, never from a cookie. */
  readonly forwardOriginalToken: boolean;
  /** Lower-case name of the header that gets the token's payload part; empty: none. */
  readonly outputPayloadToHeader: string;
  readonly outputClaimToHeaders: readonly ClaimHeader[];
  /** Top-level claims that are lists of words in one text; `scope` and `permission` are always in it. */
  readonly spaceDelimitedClaims: readonly string[];
}

/** A header that gets a claim's value. */
export interface ClaimHeader {
  /** Lower-case. */
  readonly header: string;
  /** Names joined by dots lead into nested objects. */
  readonly claim: string;
}

/** Where a rule's keys are. */
export type KeyLocator = InlineKeys | RemoteKeys;

/** A JWKS that stands in the resource, or that was read from a file. */
export interface InlineKeys {
  readonly kind: "inline";
  /** JSON text of a JWK Set (RFC 7517 section 5). */
  readonly jwks: string;
}

/** A JWKS to be fetched. Two locators with equal fields are one source of keys. */
export interface RemoteKeys {
  readonly kind: "remote";
  readonly issuer: string;
  /** Undefined: found by OpenID Connect discovery at the issuer. */
  readonly jwksUri: string | undefined;
  /** Of one fetch; not longer than a timer can wait. */
  readonly timeoutMs: number;
}
