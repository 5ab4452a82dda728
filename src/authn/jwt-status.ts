/** The texts of Envoy's jwt_authn filter (`source/common/jwt/status.cc`): clients see them as the body. */
const texts = {
  jwt_missing: "Jwt is missing",
  jwt_not_yet_valid: "Jwt not yet valid",
  jwt_expired: "Jwt is expired",
  jwt_bad_format: "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
  jwt_header_bad_base64: "Jwt header is an invalid Base64url encoded",
  jwt_header_bad_json: "Jwt header is an invalid JSON",
  jwt_header_bad_alg: "Jwt header [alg] field is required and must be a string",
  jwt_header_unsupported_alg: "Jwt header [alg] is not supported",
  jwt_header_bad_kid: "Jwt header [kid] field is not a string",
  jwt_payload_bad_base64: "Jwt payload is an invalid Base64url encoded",
  jwt_payload_bad_json: "Jwt payload is an invalid JSON",
  jwt_payload_bad_iss: "Jwt payload [iss] field is not a string",
  jwt_payload_bad_sub: "Jwt payload [sub] field is not a string",
  jwt_payload_bad_iat: "Jwt payload [iat] field is not an integer",
  jwt_payload_iat_out_of_range: "Jwt payload [iat] field is not a positive 64 bit integer",
  jwt_payload_bad_nbf: "Jwt payload [nbf] field is not an integer",
  jwt_payload_nbf_out_of_range: "Jwt payload [nbf] field is not a positive 64 bit integer",
  jwt_payload_bad_exp: "Jwt payload [exp] field is not an integer",
  jwt_payload_exp_out_of_range: "Jwt payload [exp] field is not a positive 64 bit integer",
  jwt_payload_bad_jti: "Jwt payload [jti] field is not a string",
  jwt_payload_bad_aud: "Jwt payload [aud] field is not a string or string list",
  jwt_signature_bad_base64: "Jwt signature is an invalid Base64url encoded",
  jwt_ed25519_signature_wrong_length: "Jwt ED25519 signature is wrong length",
  jwt_unknown_issuer: "Jwt issuer is not configured",
  jwt_audience_not_allowed: "Audiences in Jwt are not allowed",
  jwt_verification_failed: "Jwt verification fails",
  jwks_no_valid_keys: "Jwks doesn't have any valid public key",
  jwks_no_matching_key: "Jwks doesn't have key to match kid or alg from Jwt",
  jwks_fetch_failed: "Jwks remote fetch is failed",
  // Only with `Mesh.spec.jwt.strict`; Envoy has no words for these.
  jwt_without_expiration: "Jwt has no expiration",
  jwt_critical_extension: "Jwt has a critical extension",
  jwt_not_canonical: "Jwt is not canonical Base64url",
  jwt_key_ambiguous: "Jwks has several keys for the Jwt",
} as const;

/** Why a token is not taken. */
export type JwtReason = keyof typeof texts;

/** What Envoy says to the client. */
export function jwtText(reason: JwtReason): string {
  return texts[reason];
}

/** Every reason, for tables of labels and documents. */
export const jwtReasons = Object.keys(texts) as readonly JwtReason[];
