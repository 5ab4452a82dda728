import type { ByteString } from "../attributes/index.js";
import { decodeBase64url } from "./base64url.js";
import type { Jwt } from "./jwt.js";
import type { JwtReason } from "./jwt-status.js";

/**
 * What `Mesh.spec.jwt.strict` refuses although Envoy lets it pass: a token without end (RFC 9068 section 2.2), an
 * extension that must be understood and is not (RFC 7515 section 4.1.11). Exact audiences and ambiguous keys are
 * refused where those are looked at.
 */
export function strictRefusal(jwt: Jwt): JwtReason | undefined {
  if (jwt.exp === 0) return "jwt_without_expiration";
  return Object.hasOwn(jwt.header, "crit") ? "jwt_critical_extension" : undefined;
}

/**
 * Whether a token is spelled in the one way that RFC 7515 section 3.1 has: three parts of base64url without padding,
 * white space or unused bits. `jwt` is the token taken apart, its signature still there.
 */
export function isCanonical({ headerPart, payloadPart, signature }: Jwt, token: ByteString): boolean {
  const parts = [headerPart, payloadPart].map((part) => decodeBase64url(part)?.toString("base64url"));
  return token === [...parts, signature.toString("base64url")].join(".");
}
