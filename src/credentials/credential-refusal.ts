import { type AuthnReason, type CredentialVerdict, refusalCode } from "../authn/index.js";

/** 401: the credential is not good (RFC 9110 section 15.5.2, which asks for a challenge). */
export function refuseCredential(reason: AuthnReason, body: string, challenge: string): CredentialVerdict {
  return refusal(reason, { httpStatus: 401, code: refusalCode.unauthenticated, body, challenge });
}

/** 403: the credential is good, but not for this. */
export function refuseUse(reason: AuthnReason, body: string, challenge: string): CredentialVerdict {
  return refusal(reason, { httpStatus: 403, code: refusalCode.permissionDenied, body, challenge });
}

/** 500: nobody could say whether the credential is good. */
export function refuseUnjudged(reason: AuthnReason): CredentialVerdict {
  return refusal(reason, { httpStatus: 500, code: refusalCode.internal, body: "", challenge: undefined });
}

function refusal(
  reason: AuthnReason,
  answer: Omit<NonNullable<CredentialVerdict["refusal"]>, "reason">,
): CredentialVerdict {
  return { payload: undefined, refusal: { reason, ...answer } };
}
