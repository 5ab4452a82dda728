import type { ByteString, HttpRequest } from "../attributes/index.js";
import { type JwtReason, jwtText } from "./jwt-status.js";
import { type Refusal, refusalCode } from "./outcome.js";

/** Of the path in the realm. */
const maxRealmPath = 256;

/**
 * Envoy's answer to a bad token (jwt_authn `filter.cc`): 401, or 403 for the audience; the reason as the body; a
 * `www-authenticate` that names the request's own URI. `request` is as the client sent it.
 */
export function refuseJwt(reason: JwtReason, request: HttpRequest): Refusal {
  const forbidden = reason === "jwt_audience_not_allowed";
  const error = reason === "jwt_missing" ? "" : ', error="invalid_token"';
  return {
    reason,
    httpStatus: forbidden ? 403 : 401,
    code: forbidden ? refusalCode.permissionDenied : refusalCode.unauthenticated,
    body: jwtText(reason),
    challenge: `Bearer realm="${originalUri(request)}"${error}`,
  };
}

/** `x-envoy-original-path` is what an Envoy in front keeps of a path that it has rewritten. */
function originalUri({ scheme, host, path, headers }: HttpRequest): ByteString {
  const original = headers.get("x-envoy-original-path")?.[0] ?? path;
  return `${scheme}://${host}${original.slice(0, maxRealmPath)}`;
}

/**
 * A browser asks so before it sends a request with credentials (https://www.w3.org/TR/cors, preflight): it never has
 * any itself.
 */
export function isCorsPreflight({ method, headers }: HttpRequest): boolean {
  return (
    method === "OPTIONS" &&
    isGiven(headers.get("origin")) &&
    isGiven(headers.get("access-control-request-method"))
  );
}

function isGiven(lines: readonly ByteString[] | undefined): boolean {
  return lines?.some((line) => line !== "") ?? false;
}
