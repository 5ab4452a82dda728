import { grpcCode, type Reason } from "../engine/index.js";
import type { Refusal } from "./policy.js";
import type { BodyRefusal } from "./run.js";

/** google.rpc.Code INVALID_ARGUMENT: the message itself is wrong. */
const invalidArgument = 3;

/** How a fault of a request is answered. */
const answers: Readonly<Partial<Record<Reason, readonly [httpStatus: number, code: number, body: string]>>> =
  {
    body_too_large: [413, grpcCode.resourceExhausted, "body is too large"],
    body_type: [415, invalidArgument, "content type is not accepted"],
    body_encoding: [415, invalidArgument, "content encoding is not accepted"],
    body_malformed: [400, invalidArgument, "body cannot be read"],
    body_invalid: [422, invalidArgument, "body does not have the form that is expected"],
    body_no_room: [503, grpcCode.unavailable, ""],
    unknown_obligation: [500, grpcCode.internal, ""],
    internal_error: [500, grpcCode.internal, ""],
    bad_edit: [500, grpcCode.internal, ""],
  };

/** A refusal in our words; one that has none is a plain 403. */
export function refusalFor(reason: Reason, policy: string): BodyRefusal {
  const [httpStatus, code, body] = answers[reason] ?? [403, grpcCode.permissionDenied, "access denied"];
  return { httpStatus, code, reason, policy, body, contentType: "text/plain" };
}

/** A refusal in the words of a rule. */
export function refusalOf(
  { status, body, contentType }: Refusal,
  reason: "denied_by_policy" | "policy_failed",
  policy: string,
): BodyRefusal {
  return { httpStatus: status, code: codeOf(status), reason, policy, body, contentType };
}

/**
 * As Envoy translates statuses for gRPC clients (doc/http-grpc-status-mapping.md), and 429 as it is meant.
 */
function codeOf(status: number): number {
  if (status === 401) return grpcCode.unauthenticated;
  if (status === 429) return grpcCode.resourceExhausted;
  if (status === 502 || status === 503 || status === 504) return grpcCode.unavailable;
  return grpcCode.permissionDenied;
}
