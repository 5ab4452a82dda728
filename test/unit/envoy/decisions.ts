import type { AuthnRecord } from "../../../src/authn/index.js";
import { type Decision, noEdits, noQuota } from "../../../src/engine/index.js";
import type { CheckResponse, CheckResponse__Output } from "../../../src/proto/index.js";
import { loadProtos } from "../../../src/server/protos.js";

const protos = loadProtos().check;

/** A request that a rule lets go on, anonymous and unchanged. */
export const allowed: Decision = {
  decisionId: "d-1",
  allowed: true,
  code: 0,
  httpStatus: 200,
  stage: "authorize",
  reason: "allowed_by_policy",
  rule: { key: "k", policy: "foo/p", rule: 1 },
  body: "",
  edits: noEdits,
  dryRun: [],
  audit: undefined,
  quota: noQuota,
  failedOpen: false,
  obligations: [],
  attributes: undefined,
  authn: undefined,
  generation: 1,
  workload: undefined,
  metadata: undefined,
};

/** A caller with a JWT. */
export function identity(principal: string, refused: AuthnRecord["refused"] = []): AuthnRecord {
  return { method: "jwt", issuer: "https://a", principal, refused };
}

/** As Envoy reads it. */
export function read(response: CheckResponse): CheckResponse__Output {
  return protos.responseDeserialize(Buffer.from(protos.responseSerialize(response)));
}
