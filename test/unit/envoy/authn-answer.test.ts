import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Attributes, member } from "../../../src/attributes/index.js";
import type { JwtRule } from "../../../src/authn/index.js";
import type { Decision } from "../../../src/engine/index.js";
import { type AuthorizationOptions, createAuthorization, toCheckResponse } from "../../../src/envoy/index.js";
import { fromStruct } from "../../../src/envoy/struct.js";
import type { CheckResponse__Output } from "../../../src/proto/index.js";
import { loadProtos } from "../../../src/server/protos.js";
import { createMetrics, recordOf, renderMetrics } from "../../../src/telemetry/index.js";
import { anAuthentication, aRule, aSigner, aVerifier, nowMs } from "../../support/tokens.js";
import { aSnapshot } from "../engine/snapshots.js";
import { allowed, identity, read } from "./decisions.js";

const protos = loadProtos().check;

const longestReason = "jwt_ed25519_signature_wrong_length";
/** What the metadata says of authentication. */
function authnOf({ dynamic_metadata }: Pick<CheckResponse__Output, "dynamic_metadata">): unknown {
  return member(fromStruct(dynamic_metadata ?? {})["gatehouse"], "authn");
}

describe("the metadata of a decision", () => {
  it("says how the caller showed who it is, and who that is", () => {
    expect(authnOf(read(toCheckResponse({ ...allowed, authn: identity("https://a/alice") })))).toEqual({
      method: "jwt",
      principal: "https://a/alice",
    });
    expect(authnOf(read(toCheckResponse(allowed)))).toBeUndefined();
  });

  it("says which credentials were refused by whom and why", () => {
    const refused = [{ method: "jwt", issuer: "https://a", reason: "jwt_expired" }] as const;
    const authn = { method: undefined, issuer: "", principal: "", refused } as const;
    expect(authnOf(read(toCheckResponse({ ...allowed, authn })))).toEqual({ refused });
  });

  it("stays within 1 KiB, however long the names in it are, and cuts no character", () => {
    const length = (max: number): fc.Arbitrary<number> => fc.oneof(fc.nat(max), fc.constant(max));
    const lengths = fc.tuple(
      length(317),
      length(400),
      length(100),
      fc.array(length(317), { maxLength: 4 }),
      fc.nat(3),
    );
    fc.assert(
      fc.property(fc.constantFrom(..."aé€😀"), lengths, (letter, [policy, principal, issuer, dry, count]) => {
        const refused = Array.from({ length: count }, () => {
          return { method: "introspection", issuer: letter.repeat(issuer), reason: longestReason } as const;
        });
        const dryRun = dry.map((size, rule) => {
          return { action: "DENY", result: "allowed", policy: "d".repeat(size), rule } as const;
        });
        const record = toCheckResponse({
          ...allowed,
          failedOpen: true,
          audit: false,
          dryRun,
          reason: "denied_by_policy",
          rule: policy === 0 ? undefined : { key: "k", policy: "p".repeat(policy), rule: 99_999 },
          authn: { method: "introspection", issuer: "", principal: `x${letter.repeat(principal)}`, refused },
        }).dynamic_metadata?.fields?.["gatehouse"];
        const encoded = protos.responseSerialize({
          dynamic_metadata: { fields: { gatehouse: record ?? {} } },
        });
        expect(encoded.length).toBeLessThanOrEqual(1024);
        const text = JSON.stringify(record);
        expect(text).not.toContain("\ufffd");
        expect(text).toContain(`"x${letter.repeat(Math.min(principal, 38))}`);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a token", () => {
  const signer = aSigner("k");
  const protected_ = {
    scope: "confidential-scope",
    email: "secret.person@example.test",
    groups: ["hidden-group"],
  };

  /** All that leaves the process about a request with this token, but for the answer's challenge. */
  async function traces(token: string, rule: Partial<JwtRule> = {}): Promise<string> {
    const metrics = createMetrics({ processMetrics: false });
    const authn = anAuthentication({
      rules: [aRule(signer, rule)],
      verifier: aVerifier(10),
      observe: metrics.authenticated,
    });
    const told: unknown[] = [];
    const options: AuthorizationOptions = {
      current: () => aSnapshot({ authn }),
      decisionId: () => "d-1",
      encode: protos.responseSerialize,
      now: () => 0,
      wallClock: () => nowMs,
      observe: (decision: Decision, attributes: Attributes | undefined) => {
        told.push(recordOf({ decision, attributes, now: nowMs, durationMs: 1 }));
      },
      onError: (error) => told.push(String(error)),
    };
    const raw = (key: string, value: string) => ({ key, raw_value: Buffer.from(value, "latin1") });
    const headers = [raw("authorization", `Bearer ${token}`), raw(":path", "/p"), raw(":method", "GET")];
    const request = {
      attributes: { request: { http: { path: "/p", method: "GET", header_map: { headers } } } },
    };
    const answer = await createAuthorization(options).check(request, new Uint8Array());
    const text = Buffer.from(answer).toString("latin1");
    return `${text}\n${JSON.stringify(told)}\n${await renderMetrics([await metrics.values()])}`;
  }

  it("that is good leaves its issuer and subject behind, and nothing else", async () => {
    const token = signer.token(protected_);
    const left = await traces(token);
    expect(left).toContain("https://a/alice");
    expect(left).toContain('method="jwt",issuer="https://a",result="ok"} 1');
    for (const part of token.split(".")) expect(left).not.toContain(part);
    for (const claim of ["confidential", "secret.person", "hidden-group"]) expect(left).not.toContain(claim);
  });

  it.each([
    ["expired", { exp: 1 }, "jwt_expired"],
    ["of another issuer", { iss: "https://secret-issuer" }, "jwt_unknown_issuer"],
    ["for another audience", { aud: "secret-audience" }, "jwt_audience_not_allowed"],
  ])("that is %s leaves only the reason behind", async (_what, claims, reason) => {
    const token = signer.token({ sub: "secret-subject", ...protected_, ...claims });
    const left = await traces(token, { audiences: ["shop"] });
    expect(left).toContain(`result="${reason}"} 1`);
    for (const part of token.split(".")) expect(left).not.toContain(part);
    expect(left).not.toMatch(/secret|confidential|hidden/);
  });

  it("that is none leaves nothing behind, whatever it is", async () => {
    const piece = fc.stringMatching(/^[A-Za-z0-9_-]{12,20}$/);
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 4 }), async (pieces) => {
        const left = await traces(pieces.join("."));
        for (const part of pieces) expect(left).not.toContain(part);
      }),
      { numRuns: 20 },
    );
  });
});
