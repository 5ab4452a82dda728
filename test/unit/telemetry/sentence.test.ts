import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  adviseOn,
  createDecisionRing,
  type DecisionRecord,
  describeDecision,
  type JoinedRecord,
  type ServedRecord,
} from "../../../src/telemetry/index.js";
import { aRequest } from "../../support/request.js";
import { aDecision, aServed } from "../../support/served.js";

function joined(decision: DecisionRecord | undefined, served?: ServedRecord): JoinedRecord {
  const ring = createDecisionRing(1);
  if (decision !== undefined) ring.push(decision);
  if (served !== undefined) ring.served(served);
  return ring.list({})[0] as JoinedRecord;
}

const denied = {
  allowed: false,
  code: 7,
  policy: "shop/deny",
  rule: 0,
  reason: "denied_by_policy",
} as const;
const localReply = { code: 403, codeDetails: "ext_authz_denied", bodyBytes: 19 };
const notSent = {
  times: { firstUpstreamByteReceived: undefined, firstUpstreamByteSent: undefined },
  upstream: { attempts: 0 },
} as const;
const noAnswer = {
  decisionId: "",
  allowed: undefined,
  code: undefined,
  stage: "",
  reason: "",
  policy: "",
  rule: undefined,
  principal: "",
} as const;

describe("a decision in one sentence", () => {
  it("says who was allowed by what, what it took, and what the upstream did", () => {
    const quota = [{ quota: "shop/per-user", cost: 1, limit: 100, remaining: 37 }];
    const record = joined(aDecision({ request_principal: "https://id.example/ann", quota }), aServed());
    expect(describeDecision(record)).toBe(
      "GET example.com/cart from 10.0.0.1: allowed by policy shop/only rule 2 in 0.41 ms as user" +
        " https://id.example/ann, quota shop/per-user took 1 of 100 (37 left), upstream answered 200 in 82 ms, 14 KB",
    );
  });

  it("says what refused, and what the caller got", () => {
    const served = aServed({
      ...notSent,
      check: { ...denied, outcome: "denied" },
      response: localReply,
      flags: "UAEX",
    });
    expect(describeDecision(joined(aDecision({ ...denied, source_principal: "spiffe://a/b" }), served))).toBe(
      "GET example.com/cart from spiffe://a/b: refused by policy shop/deny rule 0 in 0.41 ms, Envoy answered 403",
    );
  });

  it.each([
    [
      { reason: "no_allow_policy_matched", policy: null, rule: null },
      "refused since no ALLOW rule matched in",
    ],
    [
      { reason: "jwt_expired", stage: "authn", policy: null, rule: null },
      "refused (authn: jwt_expired) in 0.41 ms",
    ],
    [
      { reason: "quota_exceeded", stage: "quota", policy: "shop/q", rule: null },
      "refused by policy shop/q (quota: quota_exceeded) in",
    ],
    [{ reason: "no_policy", stage: "none", policy: null, rule: null }, "refused since no policy applies in"],
  ])("says why: %o", (changes, expected) => {
    expect(describeDecision(joined(aDecision({ ...denied, ...changes })))).toContain(expected);
  });

  it("says what a quota had when it refused", () => {
    const quota = [{ quota: "shop/q", cost: 5, limit: 100, remaining: 2 }];
    expect(describeDecision(joined(aDecision({ ...denied, quota })))).toContain(
      "quota shop/q had 2 of 100 for 5",
    );
  });

  it("says which credentials were not taken, and what a policy on trial would have done", () => {
    const text = describeDecision(
      joined(
        aDecision({
          authn_refused: [{ method: "jwt", issuer: "https://b", reason: "jwt_expired" }],
          dry_run: [
            { action: "DENY", result: "denied", policy: "shop/trial", rule: 1 },
            { action: "ALLOW", result: "denied" },
            { action: "REGO", result: "allowed", policy: "shop/fine" },
          ],
        }),
      ),
    );
    expect(text).toContain("credential (jwt) not taken: jwt_expired");
    expect(text).toContain("policy shop/trial on trial (rule 1) would refuse it");
    expect(text).toContain("the ALLOW policies on trial would refuse it");
    expect(text).not.toContain("shop/fine");
  });

  it("says that a decision failed open", () => {
    expect(describeDecision(joined(aDecision({ failed_open: true })))).toContain(
      "although its policy failed",
    );
  });

  it.each([
    ["timeout", "refused by Envoy, whose check had no answer in time after 200 ms"],
    ["error", "refused by Envoy, whose check had no answer that it could use after 200 ms"],
    [
      "shadow_error",
      "passed, although its check had no answer after 200 ms: Envoy's filter is in shadow mode",
    ],
  ] as const)("of a check without an answer it says what Envoy saw (%s)", (outcome, expected) => {
    const served = aServed({
      ...notSent,
      check: { ...noAnswer, outcome, latencyMs: 200.4 },
      response: { code: 403, codeDetails: "ext_authz_error" },
      flags: "UAEX",
    });
    const text = describeDecision(joined(undefined, served));
    expect(text).toContain(expected);
    expect(text).toContain("Envoy answered 403 (ext_authz_error) [flags UAEX]");
  });

  it("is loud about a refusal that was served, and says what shadow mode let pass", () => {
    const of = (outcome: "denied_but_served" | "shadow_denied"): string =>
      describeDecision(joined(aDecision(denied), aServed({ check: { ...denied, outcome } })));
    expect(of("denied_but_served")).toContain(": ALARM, served although refused by policy shop/deny rule 0");
    expect(of("denied_but_served")).toContain("upstream answered 200");
    expect(of("shadow_denied")).toContain("passed, although refused by policy shop/deny rule 0");
  });

  it("says what went wrong upstream", () => {
    const failed = aServed({
      ...notSent,
      response: { code: 503, codeDetails: "upstream_reset_before_response_started{connection_failure}" },
      flags: "UF,URX",
      upstream: { attempts: 3, transportFailure: "TLS error: expired" },
    });
    expect(describeDecision(joined(aDecision(), failed))).toContain(
      "Envoy answered 503 (upstream_reset_before_response_started{connection_failure}), after 3 attempts" +
        " [flags UF,URX; TLS error: expired]",
    );
    const gone = aServed({ ...notSent, response: { code: 0, codeDetails: "" }, flags: "DC" });
    expect(describeDecision(joined(aDecision(), gone))).toContain("no response was sent [flags DC]");
    const grpc = aServed({ response: { grpcStatus: 14 } });
    expect(describeDecision(joined(aDecision(), grpc))).toContain(
      "upstream answered 200 (grpc-status 14) in",
    );
  });

  it("says how long a connection was and what it carried", () => {
    const tcp = { protocol: "tcp", method: null, host: null, path: null } as const;
    const attributes = aRequest().tcp().build();
    const served = aServed({
      attributes,
      response: undefined,
      bytes: { received: 999, sent: 1_500_000 },
      times: { duration: 61_234 },
    });
    expect(describeDecision(joined(aDecision(tcp), served))).toBe(
      "connection to shop/web from 10.0.0.1: allowed by policy shop/only rule 2 in 0.41 ms," +
        " connection ended after 61.2 s, 999 B from the caller, 1.5 MB back",
    );
  });

  it("can be said of a request that could not be read", () => {
    const unread = { protocol: null, method: null, host: null, path: null, source_ip: null } as const;
    const record = aDecision({ ...denied, ...unread, policy: null, rule: null, reason: "bad_request" });
    expect(describeDecision(joined(record))).toBe(
      "a request that could not be read: refused (authorize: bad_request) in 0.41 ms",
    );
  });

  it("writes out what would move a terminal's cursor or turn text around", () => {
    const path = "/\u001b[2J\u009b31m\r\n\u202e\u2028\ud800";
    const text = describeDecision(joined(aDecision({ path })));
    expect(text).toContain("/\\u{1b}[2J\\u{9b}31m\\u{d}\\u{a}\\u{202e}\\u{2028}\\u{d800}");
    expect(describeDecision(joined(aDecision({ path: "/grüße" })))).toContain("/grüße");
  });

  it("is one printable line, whatever a caller or a proxy says", () => {
    const text = fc.string({ unit: "binary", maxLength: 20 });
    fc.assert(
      fc.property(text, text, text, (a, b, c) => {
        const decision = aDecision({
          ...denied,
          method: a,
          host: b,
          path: c,
          request_principal: a,
          reason: b,
        });
        const served = aServed({
          response: { code: 503, codeDetails: c },
          flags: a,
          terminationDetails: b,
          upstream: { transportFailure: c },
        });
        for (const record of [joined(decision), joined(decision, served), joined(undefined, served)]) {
          for (const line of [describeDecision(record), ...adviseOn(record)]) {
            expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
          }
        }
      }),
    );
  });
});

describe("advice", () => {
  it("is none where all went as it should", () => {
    expect(adviseOn(joined(aDecision(), aServed()))).toEqual([]);
  });

  it.each([
    [denied, "gatehouse check --explain"],
    [{ ...denied, stage: "rego" }, "policy shop/deny said no"],
    [{ ...denied, reason: "no_allow_policy_matched", policy: null }, "ALLOW policies apply to shop/web"],
    [{ ...denied, reason: "no_allow_policy_matched", policy: null }, "the caller is anonymous"],
    [{ ...denied, reason: "quota_exceeded", policy: "shop/q" }, "gatehouse quota get shop/q"],
    [{ ...denied, reason: "quota_unavailable" }, "gatehouse_quota_store_failures_total"],
    [{ ...denied, reason: "unknown_workload" }, "destination.namespace"],
    [{ ...denied, reason: "jwks_no_matching_key" }, "page `/keys`"],
    [{ ...denied, reason: "jwt_expired" }, "what `jwt_expired` means, and what to do: docs/answers.md"],
  ])("names what helps: %o", (changes, expected) => {
    expect(adviseOn(joined(aDecision(changes))).join("\n")).toContain(expected);
  });

  it.each([
    ["timeout", "grpc_service.timeout"],
    ["denied_but_served", "look at once"],
    ["shadow_denied", "shadow_mode: true"],
    ["denied", "another replica decided it"],
  ] as const)("says what it means that Envoy made it %s", (outcome, expected) => {
    expect(adviseOn(joined(undefined, aServed({ check: { ...denied, outcome } }))).join("\n")).toContain(
      expected,
    );
  });
});
