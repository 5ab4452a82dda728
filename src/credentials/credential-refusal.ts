import type { AuthnReason, CredentialVerdict } from "../authn/index.js";

/** google.rpc.Code. */
const unauthenticated = 16;
const permissionDenied = 7;
const internal = 13;

/** 401: the credential is not good (RFC 9110 section 15.5.2, which asks for a challenge). */
export function refuseCredential(reason: AuthnReason, body: string, challenge: string): CredentialVerdict {
  return refusal(reason, { httpStatus: 401, code: unauthenticated, body, challenge });
}

/** 403: the credential is good, but not for this. */
export function refuseUse(reason: AuthnReason, body: string, challenge: string): CredentialVerdict {
  return refusal(reason, { httpStatus: 403, code: permissionDenied, body, challenge });
}

/** 500: nobody could say whether the credential is good. */
export function refuseUnjudged(reason: AuthnReason): CredentialVerdict {
  return refusal(reason, { httpStatus: 500, code: internal, body: "", challenge: undefined });
}

function refusal(
  reason: AuthnReason,
  answer: Omit<NonNullable<CredentialVerdict["refusal"]>, "reason">,
): CredentialVerdict {
  return { payload: undefined, refusal: { reason, ...answer } };
}
