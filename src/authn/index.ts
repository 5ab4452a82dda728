export { createAuthentication } from "./authentication.js";
export { principalOf, withWords, wordClaims } from "./claims.js";
export type { CredentialCheck, CredentialVerdict } from "./credential.js";
export { createJwtCheck, type JwtCheck, type JwtPorts, type JwtSettings } from "./jwt-check.js";
export type { ClaimHeader, JwtRule, KeyLocator, RemoteKeys } from "./jwt-rule.js";
export { type JwtReason, jwtReasons } from "./jwt-status.js";
export { countKeys, maxKeys } from "./key-limits.js";
export { type KeySet, type ParsedKeys, parseKeySet } from "./key-set.js";
export type { KeySource, KeySources } from "./key-source.js";
export type {
  Authentication,
  AuthnObserver,
  AuthnOutcome,
  AuthnReason,
  AuthnRecord,
  Refusal,
  RefusedCredential,
  RequestChanges,
} from "./outcome.js";
export { refusalCode } from "./outcome.js";
export { createTokenCache } from "./token-cache.js";
export { defaultPlaces, type HeaderPlace, sortPlaces, type TokenPlaces } from "./token-places.js";
export { createTokenVerifier, type TokenVerifier } from "./token-verifier.js";
