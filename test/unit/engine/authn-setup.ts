import type { Attributes } from "../../../src/attributes/index.js";
import type { JwtRule } from "../../../src/authn/index.js";
import { check, type Decision } from "../../../src/engine/index.js";
import type { AuthorizationPolicy } from "../../../src/istio/index.js";
import { aRequest, type RequestBuilder } from "../../support/request.js";
import { aRule as aJwtRule, anAuthentication, aSigner, nowMs } from "../../support/tokens.js";
import { aPolicy, aRule } from "../istio/policies.js";
import { aSnapshot, type Setup } from "./snapshots.js";

/** Whose tokens {@link jwt} takes. */
export const signer: ReturnType<typeof aSigner> = aSigner("k");

/** Stage 3 with one JWT rule. */
export function jwt(changes: Partial<JwtRule> = {}): Setup["authn"] {
  return anAuthentication({ rules: [aJwtRule(signer, changes)] });
}

/** A rule that sets `x-sub`. */
export const outputs: Pick<JwtRule, "outputClaimToHeaders"> = {
  outputClaimToHeaders: [{ header: "x-sub", claim: "sub" }],
};

/** A clock that stands still. */
export const ports: Parameters<typeof check>[3] = { decisionId: () => "id", wallClock: () => nowMs };

/** The bytes of every request here. */
export const original: Uint8Array = new Uint8Array([1, 2, 3]);

/** Decides with one JWT rule, unless `setup` says otherwise. */
export async function decide(setup: Setup, request: RequestBuilder | Attributes): Promise<Decision> {
  const attributes = "build" in request ? request.build() : request;
  return check(aSnapshot({ authn: jwt(), ...setup }), attributes, original, ports);
}

/** A request with a token. */
export function bearer(token: string): RequestBuilder {
  return aRequest().header("authorization", `Bearer ${token}`);
}

/** A request with a good token. */
export const alice: RequestBuilder = bearer(signer.token({ groups: ["dev"] }));

/** A rule that matches a request with this attribute. */
export function when(key: string, ...values: string[]): AuthorizationPolicy["rules"][number] {
  return aRule({ when: [{ key, values, notValues: [] }] });
}

/** Refuses whatever comes to it. */
export const denyAll: AuthorizationPolicy = aPolicy({ name: "deny", action: "DENY", rules: [aRule()] });

/** Asks the provider about everything. */
export const customAll: AuthorizationPolicy = customWith(aRule());

/** Asks the provider about what the rule matches. */
export function customWith(rule: AuthorizationPolicy["rules"][number]): AuthorizationPolicy {
  return aPolicy({ name: "custom", action: "CUSTOM", provider: "ext", rules: [rule] });
}

/** What a decision about the token `rubbish` looks like. */
export const badToken: Partial<Decision> = {
  allowed: false,
  stage: "authn",
  reason: "jwt_bad_format",
  httpStatus: 401,
  code: 16,
};
